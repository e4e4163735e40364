"""Decides whether what came of a case is one of the outcomes it allows.

Every case, whatever it asks for, must keep the rules of `_rules`: nothing arrives that was not
sent, identity is the session's or none, no token goes on, no answer tells a secret.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.attack.answers import Answer
from tests.attack.cutting import Seen
from tests.attack.model import Arrives, Carried, Case, Expect, Person, RouteKind, Usual, is_let_in
from tests.attack.play import Observation, Play, play
from tests.attack.splitting import CUTS, in_two
from tests.attack.stage import FORGED, Stage, folded, identity_of

EVIL = b"evil"
"""What an attacker wants a service to believe; no refusal repeats it."""
_CUT = ("H", "T")
"""Families whose bytes come in two segments too."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A case on one kind of route, with one kind of session.

    `is_second`: behind a harmless request on the same connection, whose head is known by then.
    `cut`: in two segments, cut at one of `splitting.CUTS`, counted from 1; 0: in one.
    """

    case: Case
    route: RouteKind
    carried: Carried
    is_second: bool = False
    cut: int = 0

    @property
    def name(self) -> str:
        where = f", {self.route} {self.carried}" if len(self.case.over) > 1 else ""
        second = ", second" if self.is_second else ""
        cut = f", cut {CUTS[self.cut - 1]}" if self.cut else ""
        return f"{self.case.row} {self.case.title}{where}{second}{cut}"

    @property
    def person(self) -> Person | None:
        """Whose identity a service is told of."""
        return "A" if self.carried == "valid" and self.route != "public" else None

    @property
    def outcomes(self) -> tuple[Expect, ...]:
        expect = self.case.expect
        if isinstance(expect, Usual):
            return (_usual(expect, self.route, self.carried),)
        return expect if isinstance(expect, tuple) else (expect,)


def firsts(case: Case) -> Iterator[Variant]:
    """List a case's variants as a connection's first request, in the pieces it is written in."""
    return (Variant(case, route, carried) for route, carried in case.over)


def variants(case: Case) -> Iterator[Variant]:
    """List a case's variants: as a connection's first request, as its second, and cut in two."""
    yield from firsts(case)
    for route, carried in case.over:
        yield Variant(case, route, carried, is_second=True)
    if case.row.startswith(_CUT) and isinstance(case.send, bytes):
        for cut in range(1, len(CUTS) + 1):
            yield Variant(case, *case.over[0], cut=cut)


def _usual(expect: Usual, route: RouteKind, carried: Carried) -> Expect:
    if is_let_in(route, carried):
        return Expect(statuses=(frozenset({200}),), ends="open", arrives=(expect.arrives,))
    return Expect(statuses=(frozenset({401}),))


def run(variant: Variant, stage: Stage) -> list[str]:
    """Play a variant on a stage; return what is wrong, in words without secrets."""
    observation = observe(variant, stage)
    rules = [*_rules(variant, stage, observation)]
    amiss = [[*_differences(variant, stage, observation, each)] for each in variant.outcomes]
    fewest = min(amiss, key=len)
    return rules + fewest


def observe(variant: Variant, stage: Stage) -> Observation:
    """Play a variant on a stage."""
    case = variant.case

    def fill(data: bytes) -> bytes:
        return stage.fill(data, variant.route, variant.carried)

    steps = [fill(step) if isinstance(step, bytes) else step for step in case.steps]
    if variant.cut:
        steps = in_two(fill(case.data), case.title, variant.cut)
    what = Play(
        steps,
        case.methods or (case.data.partition(b" ")[0],),
        max(len(each.statuses) for each in variant.outcomes),
        all(each.ends == "closed" for each in variant.outcomes),
        case.replies,
        fill(_first_of(variant)) if variant.is_second else b"",
    )
    return play(stage.aim, stage.services, what)


def _first_of(variant: Variant) -> bytes:
    """A harmless request, with the session where that is let in."""
    if is_let_in(variant.route, variant.carried):
        return b"GET @ROUTE@/first HTTP/1.1\r\nHost: @HOST@\r\n@SESSION@\r\n"
    return b"GET /public/first HTTP/1.1\r\nHost: @HOST@\r\n\r\n"


# -- what always holds ----------------------------------------------------------------------------


def _rules(variant: Variant, stage: Stage, found: Observation) -> Iterator[str]:
    allowed = [
        stage.fill(line, variant.route, variant.carried) for line in may_arrive(variant.case)
    ]
    for service, connections in found.arrived.items():
        for each in connections:
            if each.fault is not None:
                yield f"{service} received what is no request: {each.fault}"
            if b"gw1." in each.raw:
                yield f"{service} received a token"
            for seen in each.requests:
                if not any(_is_of(seen, line) for line in allowed):
                    yield f"{service} received a request that was not sent: {seen.line!r}"
                yield from _identity_amiss(seen, stage)
    for answer in found.answers:
        yield from _answer_amiss(answer, stage)
    if found.canary is False:
        yield "the connection answers a later request with something else"


def may_arrive(case: Case) -> tuple[bytes, ...]:
    """Beginnings of the request lines that a case really sends, with marks."""
    if case.may_arrive:
        return case.may_arrive
    return (b" ".join(case.data.split(b"\r\n", 1)[0].split(b" ")[:2]),)


def _is_of(seen: Seen, line: bytes) -> bool:
    """Tell whether a request is one that was sent: its target may have lost a known prefix."""
    method, _, target = line.partition(b" ")
    bare = target.removeprefix(b"/api") or b"/"
    return seen.method == method and seen.target.startswith((target, bare))


def _identity_amiss(seen: Seen, stage: Stage) -> Iterator[str]:
    identity = identity_of(seen)
    known = [(), *(each.identity for each in stage.people.values())]
    if identity not in known:
        names = b" ".join(name for name, _ in identity).decode("latin-1")
        yield f"the identity is nobody's: {names}"
    if not all(value.isascii() for _, value in identity):
        yield "an identity's value is not ASCII"
    for name, value in seen.fields:
        if EVIL in value and folded(name).startswith((b"x-", b"forwarded", b"from-")):
            yield f"the attacker's value is in {name.decode('latin-1')}"


def _answer_amiss(answer: Answer, stage: Stage) -> Iterator[str]:
    if answer.value(b"server") is not None:
        yield "the answer says what serves it"
    whole = b"".join(name + value for name, value in answer.fields) + answer.body
    is_ours = answer.value(b"x-gateway-error") is not None
    if is_ours and EVIL in whole:
        yield "the refusal repeats what was sent"
    if FORGED.encode() in whole or any(
        each.token.encode() in whole or each.openid.encode() in whole
        for each in stage.people.values()
    ):
        yield "the answer holds a token or an openid"


# -- what this case asks for ----------------------------------------------------------------------


def _differences(
    variant: Variant, stage: Stage, found: Observation, expect: Expect
) -> Iterator[str]:
    def fill(data: bytes) -> bytes:
        return stage.fill(data, variant.route, variant.carried)

    statuses = [each.status for each in found.finals]
    fits = len(statuses) == len(expect.statuses) and all(
        status in allowed for status, allowed in zip(statuses, expect.statuses, strict=True)
    )
    if not fits:
        wanted = [sorted(each) for each in expect.statuses]
        yield f"answered {_shown(statuses)}, expected {wanted}"
    if expect.codes and (not found.finals or _code(found.finals[-1]) not in expect.codes):
        said = _code(found.finals[-1]) if found.finals else None
        yield f"code {said}, expected one of {sorted(expect.codes)}"
    if expect.ends != "either" and (found.ended == "open") != (expect.ends == "open"):
        yield f"the connection is {found.ended}, expected {expect.ends}"
    for held in expect.holds:
        if fill(held) not in found.raw:
            yield f"the answer lacks {held!r}"
    for hidden in expect.hides:
        if fill(hidden) in found.raw:
            yield f"the answer holds {hidden!r}"
    yield from _arrivals_amiss(variant, stage, found, expect)


def _arrivals_amiss(
    variant: Variant, stage: Stage, found: Observation, expect: Expect
) -> Iterator[str]:
    arrived = {
        service: [seen for each in connections for seen in each.requests]
        for service, connections in found.arrived.items()
    }
    for service, requests in arrived.items():
        wanted = [each for each in expect.arrives if each.service == service]
        if len(requests) != len(wanted):
            yield f"{len(requests)} requests reached {service}, expected {len(wanted)}"
            continue
        for seen, each in zip(requests, wanted, strict=True):
            yield from _arrival_amiss(variant, stage, seen, each)


def _arrival_amiss(variant: Variant, stage: Stage, seen: Seen, wanted: Arrives) -> Iterator[str]:
    def fill(data: bytes) -> bytes:
        return stage.fill(data, variant.route, variant.carried)

    if wanted.line is not None and seen.line != fill(wanted.line):
        yield f"arrived as {seen.line!r}"
    if wanted.body is not None and seen.body != wanted.body:
        yield f"its body has {len(seen.body)} bytes and is another"
    lines = [b"%b: %b" % field for field in seen.fields]
    for line in wanted.has:
        if fill(line) not in lines:
            yield f"it lacks the line {line!r}"
    names = {folded(name) for name, _ in seen.fields}
    for name in wanted.lacks:
        if name in names:
            yield f"it holds {name!r}"
    person = variant.person if wanted.person == "session" else wanted.person
    expected = stage.people[person].identity if person is not None else ()
    if identity_of(seen) != expected:
        yield f"its identity is not {person or 'nobody'}'s"


def _code(answer: Answer) -> str | None:
    value = answer.value(b"x-gateway-error")
    return None if value is None else value.decode("latin-1")


def _shown(statuses: list[int]) -> str:
    """A few of them: a thousand answers are no message."""
    return f"{statuses[:8]}{' …' if len(statuses) > 8 else ''}" if statuses else "nothing"
