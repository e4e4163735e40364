"""What must hold of every exchange, whatever was sent.

What arrived are requests that were really sent: in their order, each at most once, with their own
bodies, and with the identity of the very session that each carried, or of nobody.
"""

from collections.abc import Iterator

from tests.attack.answers import Answer
from tests.attack.cutting import Seen
from tests.attack.fuzz.generators import EVIL
from tests.attack.fuzz.names import IDENTITY, folded, is_reserved
from tests.attack.fuzz.reading import Sent
from tests.attack.fuzz.wire import Exchange
from tests.attack.stage import FORGED, Someone, Stage

_OURS = frozenset(
    b"X-Request-Id X-Real-IP X-Forwarded-For X-Forwarded-Prefix X-Forwarded-Proto"
    b" X-Forwarded-Host".split()
)
_STRIPPED = b"/api"
_OPEN, _REQUIRED = (b"/public/",), (b"/api/", b"/admin/")


def judge(found: Exchange, stage: Stage) -> list[str]:
    """Say what is wrong, in words without secrets."""
    return [
        *_arrivals_amiss(found, stage),
        *_begun_amiss(found),
        *_ends_amiss(found),
        *(each for answer in found.answers for each in _answer_amiss(answer, stage)),
        *_echoes_amiss(found),
        *(f"a service received what is no request: {each}" for each in found.faults),
    ]


def _arrivals_amiss(found: Exchange, stage: Stage) -> Iterator[str]:
    """Match what arrived with what was sent, in order."""
    sent = iter(found.reading.requests)
    for seen in _in_order(found.seen, found.reading.requests):
        match = next((each for each in sent if _is_same(seen, each)), None)
        if match is None:
            yield f"a request arrived that was not sent, or out of order: {seen.line!r}"
            return
        yield from _request_amiss(seen, match, stage)


def _in_order(seen: tuple[Seen, ...], sent: tuple[Sent, ...]) -> list[Seen]:
    """Those of several connections have no order among them: take that of what was sent."""

    def place(one: Seen) -> int:
        return next((n for n, each in enumerate(sent) if _is_same(one, each)), len(sent))

    return sorted(seen, key=place)


def _is_same(seen: Seen, sent: Sent) -> bool:
    return seen.method == sent.method and seen.target in _targets(sent) and seen.body == sent.body


def _targets(sent: Sent) -> tuple[bytes, ...]:
    """How a sent target may arrive: as it is, in origin form, less the prefix that is cut off."""
    target = sent.target
    if target.startswith(b"http://"):
        target = b"/" + target[7:].partition(b"/")[2]
    return (target.removeprefix(_STRIPPED),) if target.startswith(b"/api/") else (target,)


def _request_amiss(seen: Seen, sent: Sent, stage: Stage) -> Iterator[str]:
    if len(sent.values(b"host")) != 1 or seen.values(b"host") != sent.values(b"host"):
        yield "it arrived with another Host, or should have been refused for its own"
    reserved = [field for field in seen.fields if is_reserved(field[0])]
    identity = tuple(sorted(field for field in reserved if folded(field[0]) in IDENTITY))
    if identity not in _identities(sent, stage):
        yield "its identity is not that of the session it carried"
    names = [name for name, _ in reserved if folded(name) not in IDENTITY]
    if not set(names) <= _OURS or len(names) != len(set(names)):
        yield "a reserved name came through"
    if any(EVIL in value for _, value in reserved):
        yield "a reserved name has the attacker's value"
    if any(b"gw1." in value for _, value in seen.fields):
        yield "a token went on"


def _identities(sent: Sent, stage: Stage) -> list[tuple[tuple[bytes, bytes], ...]]:
    """Whose identity this request may bear: that of tokens in it, by the route it names."""
    (target,) = _targets(sent)
    whole = target if not sent.target.startswith(b"/api/") else sent.target
    if whole.startswith(_OPEN):
        return [()]
    told = b"\n".join(value for _, value in sent.fields)
    carried = [_known(each) for each in stage.people.values() if each.token.encode() in told]
    return carried if whole.startswith(_REQUIRED) else [(), *carried]


def _known(someone: Someone) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(sorted(someone.identity))


def _begun_amiss(found: Exchange) -> Iterator[str]:
    """What has only begun to arrive is one that is not whole, or was cut off by a refusal."""
    sent = [*found.reading.requests, *filter(None, (found.reading.last,))]
    for begun in found.begun:
        line = begun.partition(b"\r\n")[0]
        lines = [b"%b %b HTTP/1.1" % (each.method, one) for each in sent for one in _targets(each)]
        if line not in lines:
            yield f"the beginning of a request arrived that was not sent: {line!r}"


def _ends_amiss(found: Exchange) -> Iterator[str]:
    finals = sum(each.status >= 200 or each.status == 101 for each in found.answers)
    if found.is_closed:
        return
    if found.reading.end == "doubt":
        yield "where the next request begins is in doubt, and the connection stays open"
    elif finals < len(found.reading.requests):
        yield f"{len(found.reading.requests)} requests were sent, {finals} answered; it is open"


def _answer_amiss(answer: Answer, stage: Stage) -> Iterator[str]:
    if answer.value(b"server") is not None:
        yield "the answer says what serves it"
    whole = b"".join(name + value for name, value in answer.fields) + answer.body
    if answer.value(b"x-gateway-error") is not None and EVIL in whole:
        yield "the refusal repeats what was sent"
    secrets = [FORGED, *(each.token for each in stage.people.values())]
    if any(each.encode() in whole for each in secrets):
        yield "the answer holds a token"


def _echoes_amiss(found: Exchange) -> Iterator[str]:
    """A service's answer is its request's line: each goes to who asked, in order."""
    lines = iter([each.line for each in _in_order(found.seen, found.reading.requests)])
    for answer in found.answers:
        is_echo = answer.status == 200 and answer.is_whole and answer.body
        if is_echo and not any(line == answer.body for line in lines):
            yield "an answer is not to this request, or in the wrong place"
