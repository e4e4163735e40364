"""What a proxy makes of a case: measured, not judged.

It must not know which proxy it is, nor what a case expects of ours.
"""

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from tests.attack.cutting import Seen
from tests.attack.judge import EVIL, Variant
from tests.attack.model import ON_PUBLIC, Case, Person, Step
from tests.attack.play import Aim, Observation, Play, play
from tests.attack.recorder import Recorder
from tests.attack.sent import Fill, Sent, is_answered_wrongly, normal, read_sent
from tests.attack.stage import fill, folded, identity_of

Kind = Literal["refused", "unchanged", "changed", "itself", "closed", "silent"]
Identity = tuple[tuple[bytes, bytes], ...]
_OWN = frozenset(
    b"connection keep-alive te trailer transfer-encoding content-length upgrade host expect".split()
    + b"proxy-connection proxy-authorization proxy-authenticate".split()
)
"""Every proxy writes these itself, or may."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`kind`: `itself` is an answer below 400 that no service was asked for. `parts`: what of a
    forwarded request was changed.
    """

    kind: Kind
    status: int | None = None
    parts: tuple[str, ...] = ()
    is_spoofed: bool = False
    is_malformed: bool = False
    is_unsent: bool = False
    is_wrong: bool = False

    @property
    def flags(self) -> tuple[str, ...]:
        """What is worth a word beside its kind."""
        found = (
            ("identity", self.is_spoofed),
            ("no request", self.is_malformed),
            ("not sent", self.is_unsent),
            ("wrong answer", self.is_wrong),
        )
        return tuple(word for word, is_so in found if is_so)

    @property
    def short(self) -> str:
        """A cell of a table."""
        words = {
            "refused": str(self.status),
            "itself": f"itself {self.status}",
            "unchanged": "passes",
            "changed": f"passes, other {', '.join(self.parts)}",
            "closed": "closes",
            "silent": "waits",
        }
        return words[self.kind] + "".join(f"; **{word}**" for word in self.flags)


def pick(case: Case) -> Variant:
    """Choose what others are asked: it on the open route without a session, where it has that."""
    return Variant(case, *(ON_PUBLIC[0] if ON_PUBLIC[0] in case.over else case.over[0]))


NOBODY: frozenset[Identity] = frozenset({()})


@dataclass(frozen=True, slots=True)
class Proxy:
    """Who is played at, what stands behind it, and the identities that it may tell of."""

    name: str
    aim: Aim
    services: dict[str, Recorder]
    known: frozenset[Identity] = NOBODY

    def meet(self, variant: Variant, tokens: Mapping[Person, str]) -> Outcome:
        """Play a case with these users' tokens, and say what came of it."""
        code = secrets.token_hex(8).encode()

        def filled(data: bytes) -> bytes:
            plain = data.replace(b"@CODE@", code)
            return fill(plain, variant.route, variant.carried, tokens, self.aim.host)

        found = play(self.aim, self.services, what_to_play(variant, filled))
        return classify(found, variant, filled, self.known)


def what_to_play(variant: Variant, filled: Fill) -> Play:
    """Read until it has been answered as often as it would be by ours; do not wait for the end."""
    case = variant.case
    steps: list[Step] = [filled(step) if isinstance(step, bytes) else step for step in case.steps]
    methods = case.methods or (case.data.partition(b" ")[0],)
    answers = max(len(each.statuses) for each in variant.outcomes)
    return Play(steps, methods, max(answers, 1), closes=False, replies=case.replies)


def classify(
    found: Observation, variant: Variant, filled: Fill, known: frozenset[Identity]
) -> Outcome:
    """Say what came of it."""
    sent = read_sent(variant, filled)
    connections = [each for arrived in found.arrived.values() for each in arrived]
    requests = [seen for each in connections for seen in each.requests]
    parts = tuple(_changes(requests, variant, filled, sent)) if requests else ()
    status = found.finals[0].status if found.finals else None
    return Outcome(
        kind=_kind(found, status, is_forwarded=bool(connections), is_changed=bool(parts)),
        status=status,
        parts=parts,
        is_spoofed=any(_is_spoofed(seen, known) for seen in requests),
        is_malformed=any(each.fault is not None for each in connections),
        is_unsent=any(not sent.holds(seen.method, seen.target) for seen in requests),
        is_wrong=is_answered_wrongly(found, sent),
    )


def _kind(found: Observation, status: int | None, *, is_forwarded: bool, is_changed: bool) -> Kind:
    if is_forwarded:
        return "changed" if is_changed else "unchanged"
    if status is not None:
        return "refused" if status >= 400 else "itself"
    return "silent" if found.ended == "open" else "closed"


def _changes(requests: list[Seen], variant: Variant, filled: Fill, sent: Sent) -> Iterator[str]:
    """Name the parts of the first request that did not arrive as they were sent."""
    data = b"".join(filled(step) for step in variant.case.steps if isinstance(step, bytes))
    first, *lines = data.lstrip(b"\r\n").partition(b"\r\n\r\n")[0].split(b"\r\n")
    target = b"".join(first.split(b" ")[1:2])
    seen = next((each for each in requests if each.target == target), requests[0])
    if seen.target != target:
        is_same = normal(seen.target) == normal(target)
        yield "spelling" if is_same else "target"
    if not sent.allows_body(seen.method, seen.target, seen.body.__eq__):
        yield "body"
    if _fields(lines) - Counter((name.lower(), value) for name, value in seen.fields):
        yield "fields"


def _fields(lines: list[bytes]) -> Counter[tuple[bytes, bytes]]:
    """The fields that a proxy need not touch; tokens of ours are for us."""
    pairs = [line.partition(b":") for line in lines]
    named = b",".join(value for name, _, value in pairs if name.lower() == b"connection")
    hops = _OWN | {each.strip().lower() for each in named.split(b",")}
    fields = ((name.lower(), value.strip(b" \t")) for name, _, value in pairs)
    return Counter(each for each in fields if each[0] not in hops and b"gw1." not in each[1])


def _is_spoofed(seen: Seen, known: frozenset[Identity]) -> bool:
    """Tell whether a service would take something for identity that the proxy did not say."""
    if identity_of(seen) not in known:
        return True
    names = (folded(name) for name, value in seen.fields if EVIL in value)
    others = (name for name in names if not name.startswith(b"x-forwarded-"))
    return any(name.startswith((b"x-", b"from-", b"remote-", b"user-")) for name in others)
