"""Plays one case through a chain and says what is amiss, in words without secrets.

Whether it was refused is not asked: the rows themselves do. It must not know what stands in front.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

from tests.attack.judge import Variant
from tests.attack.outcomes import what_to_play
from tests.attack.play import CANARY, Aim, Observation, play
from tests.attack.recorder import Arrived, Recorder
from tests.attack.sent import Sent, is_answered_wrongly, read_sent
from tests.attack.services.running import Record, Service
from tests.attack.stage import IDENTITY, Stage, fill, folded

Identity = frozenset[tuple[bytes, bytes]]
NOT_SENT = "a request that was not sent"
TOO_MANY = "more requests than were sent"
WRONG_ANSWER = "an answer to the wrong request"
BODY = "a body other than what was sent"
OF_READING = (NOT_SENT, TOO_MANY, WRONG_ANSWER, BODY)
"""Faults that follow where a reader finds other requests than there are."""


@dataclass(frozen=True, slots=True)
class Sink:
    """What stands behind: a service that writes down what it got, or the recorder of raw bytes."""

    name: str
    recorders: dict[str, Recorder]
    service: Service | None = None

    @classmethod
    def recording(cls, stage: Stage) -> Self:
        """The recorders of a stage."""
        return cls("recorder", stage.services)

    @classmethod
    def serving(cls, service: Service) -> Self:
        """A real server."""
        return cls(service.name, {}, service)


@dataclass(frozen=True, slots=True)
class Came:
    """A request as it was understood behind; `is_body` compares its body with bytes."""

    method: bytes
    target: bytes
    identity: Identity
    is_body: Callable[[bytes], bool]
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Played:
    """What was sent, how many requests arrived, and what is amiss."""

    sent: Sent
    arrived: int
    amiss: tuple[str, ...]


def play_through(
    variant: Variant, stage: Stage, aim: Aim, sink: Sink, before: Sent | None = None
) -> Played:
    """Play it. `before`: what was sent last, of which a slow server may only now be told."""
    tokens = {name: each.token for name, each in stage.people.items()}

    def filled(data: bytes) -> bytes:
        plain = data.replace(b"@CODE@", b"0123456789abcdef")
        return fill(plain, variant.route, variant.carried, tokens, aim.host)

    if sink.service is not None:
        sink.service.take()
    found = play(aim, sink.recorders, what_to_play(variant, filled))
    sent = read_sent(variant, filled)
    came = [each for each in _all_that_came(found, sink) if not _is_late(each, sent, before)]
    known = {_folded(()), *(_folded(each.identity) for each in stage.people.values())}
    requests = amiss_of(came, sent, known, may_repeat=bool(variant.case.replies))
    amiss = (*_raw_amiss(found), *requests, *_answers_amiss(found, sent))
    return Played(sent, len(came), amiss)


def _all_that_came(found: Observation, sink: Sink) -> list[Came]:
    records = sink.service.take() if sink.service is not None else []
    came = [*_from_recorders(found), *(_from_record(each) for each in records)]
    return [each for each in came if CANARY not in each.target]


def _is_late(came: Came, sent: Sent, before: Sent | None) -> bool:
    is_of_now = sent.holds(came.method, came.target)
    return before is not None and not is_of_now and before.holds(came.method, came.target)


def _from_recorders(found: Observation) -> Iterator[Came]:
    for connections in found.arrived.values():
        for seen in (seen for each in connections for seen in each.requests):
            yield Came(seen.method, seen.target, _folded(seen.fields), seen.body.__eq__)


def _from_record(record: Record) -> Came:
    def is_body(body: bytes) -> bool:
        same = hashlib.sha256(body).hexdigest() == record.sha256
        return same and len(body) == record.length_bytes

    names = tuple(
        (name.removeprefix("HTTP_").encode("latin-1"), value.encode("latin-1"))
        for name, value in record.names
    )
    method, target = record.method.encode("latin-1"), record.target.encode("latin-1")
    return Came(method, target, _folded(names), is_body, record.is_whole)


def _folded(fields: tuple[tuple[bytes, bytes], ...]) -> Identity:
    """The fields that a service might take for identity; how names are written does not matter."""
    pairs = ((folded(name), value) for name, value in fields)
    return frozenset(each for each in pairs if each[0] in IDENTITY)


def amiss_of(
    came: list[Came], sent: Sent, known: set[Identity], *, may_repeat: bool = False
) -> Iterator[str]:
    """Tell what is amiss with requests that arrived; `known` are the identities there are.

    `may_repeat`: the service's answers are broken, and proxies may ask again (RFC 9110 9.2.2).
    """
    for each in came:
        if not sent.holds(each.method, each.target):
            yield f"{NOT_SENT}: {each.method!r} {each.target[:60]!r}"
        elif each.is_whole and not sent.allows_body(each.method, each.target, each.is_body):
            yield BODY
        if each.identity not in known:
            yield "an identity that is nobody's"
    if not may_repeat and sent.is_all and len(came) > len(sent.strict):
        yield f"{TOO_MANY}: {len(came)}, and {len(sent.strict)} were sent"


def _raw_amiss(found: Observation) -> Iterator[str]:
    connections: list[Arrived] = [each for some in found.arrived.values() for each in some]
    for each in connections:
        if each.fault is not None:
            yield f"bytes that are no request: {each.fault}"
        if b"gw1." in each.raw:
            yield "a token went on"


def _answers_amiss(found: Observation, sent: Sent) -> Iterator[str]:
    if is_answered_wrongly(found, sent):
        yield WRONG_ANSWER
