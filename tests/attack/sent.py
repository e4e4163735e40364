"""What of a case's bytes may reach a service: read strictly where that can be done, and where not,
what the case says.

Proxies may write a target in another way; here such spellings are one. It must not know who is
attacked.
"""

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from tests.attack.answers import cut_answers
from tests.attack.cutting import MalformedError, Seen, cut
from tests.attack.judge import Variant, may_arrive
from tests.attack.lenient import read_leniently
from tests.attack.play import CANARY, Observation

_ORIGIN = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://[^/]*")
Fill = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent. `strict`: the requests that could be read strictly, from the first on;
    `is_all`: they are all there is. `lenient`: those that a recipient may rightly find. `lines`:
    beginnings of request lines that may arrive too, and `bodies` that the case names.
    """

    strict: tuple[Seen, ...]
    lenient: tuple[Seen, ...]
    is_all: bool
    lines: tuple[bytes, ...]
    bodies: tuple[bytes, ...]

    def holds(self, method: bytes, target: bytes) -> bool:
        """Tell whether such a request was sent, in whatever spelling of its target."""
        found = normal(target)
        read = (each.line for each in (*self.strict, *self.lenient))
        for line in (*read, *self.lines):
            was, _, rest = line.partition(b" ")
            wanted = normal(rest.removesuffix(b" HTTP/1.1"))
            if was == method and found.startswith((wanted, wanted.removeprefix(b"/api") or b"/")):
                return True
        return False

    def allows_body(self, method: bytes, target: bytes, body: Callable[[bytes], bool]) -> bool:
        """Tell whether the body may be this request's; True where nothing says what it is.

        `body` compares with bytes: a service may know no more than a digest.
        """
        read = (*self.strict, *self.lenient)
        here = [each.body for each in read if self._is(each, method, target)]
        known = (*here, *self.bodies)
        return not known or any(body(each) for each in known)

    @staticmethod
    def _is(seen: Seen, method: bytes, target: bytes) -> bool:
        wanted = normal(seen.target)
        same = normal(target) in (wanted, wanted.removeprefix(b"/api") or b"/")
        return seen.method == method and same


def read_sent(variant: Variant, fill: Fill) -> Sent:
    """Read a variant's bytes."""
    data = b"".join(fill(step) for step in variant.case.steps if isinstance(step, bytes))
    strict, is_all = _read_strictly(data)
    arrives = [each for outcome in variant.outcomes for each in outcome.arrives]
    lines = (*may_arrive(variant.case), *(each.line for each in arrives if each.line is not None))
    bodies = tuple(fill(each.body) for each in arrives if each.body is not None)
    lenient = read_leniently(data)
    return Sent(strict, lenient, is_all, tuple(fill(line) for line in lines), bodies)


def _read_strictly(data: bytes) -> tuple[tuple[Seen, ...], bool]:
    found: list[Seen] = []
    while data:
        try:
            each = cut(data)
        except MalformedError:
            return tuple(found), False
        if each is None:
            return tuple(found), False
        found.append(each[0])
        data = data[each[1] :]
    return tuple(found), True


def normal(target: bytes) -> bytes:
    """Bring spellings together that a proxy may change: origin, percent signs, dots, slashes."""
    path, _, query = _ORIGIN.sub(b"", target, count=1).partition(b"?")
    plain = unquote_to_bytes(path.partition(b"#")[0]).replace(b"\\", b"/")
    joined = posixpath.normpath(b"/" + plain.lstrip(b"/"))
    slash = b"/" if plain.endswith(b"/") and joined != b"/" else b""
    return joined + slash + (b"?" + query if query else b"")


def is_answered_wrongly(found: Observation, sent: Sent) -> bool:
    """Tell whether a request later on the connection was given an answer that is not its own.

    Only where the first was answered: else the later bytes belong to the first. Refusals do not
    count: what was left over may be no request.
    """
    if found.canary is not False or not found.finals:
        return False
    answers = (each for each in cut_answers(found.after, (b"GET",)) if each.is_whole)
    bodies = [each.body for each in answers if 200 <= each.status < 400]
    return any(CANARY not in body and not _is_sent(body, sent) for body in bodies)


def _is_sent(body: bytes, sent: Sent) -> bool:
    """Services answer with the request line they were asked with."""
    words: Sequence[bytes] = body.split(b" ")
    return len(words) == 3 and sent.holds(words[0], words[1])
