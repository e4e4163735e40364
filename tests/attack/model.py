"""A row of the attack suite as data: bytes in, expectation out.

It must not know who is attacked, nor how bytes travel. Rows are those of attacks.md C3.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # a check is given a stage; the data knows no more of it
    from tests.attack.stage import Stage

RouteKind = Literal["public", "optional", "required"]
Carried = Literal["none", "valid", "invalid"]
Person = Literal["A", "B"]
Ends = Literal["closed", "open", "either"]

ROUTES: tuple[RouteKind, ...] = ("public", "optional", "required")
EVERYWHERE: tuple[tuple[RouteKind, Carried], ...] = tuple(
    product(ROUTES, ("none", "valid", "invalid"))
)
"""Each kind of route, with no session, a valid one and an invalid one."""
ON_PUBLIC: tuple[tuple[RouteKind, Carried], ...] = (("public", "none"),)
WITH_SESSION: tuple[tuple[RouteKind, Carried], ...] = (("required", "valid"),)


def is_let_in(route: RouteKind, carried: Carried) -> bool:
    """Tell whether such a route lets such a session in."""
    return route == "public" or carried == "valid" or (route, carried) == ("optional", "none")


# -- what is sent ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pause:
    """Send nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Until:
    """Read until these bytes have come back, then go on sending."""

    received: bytes


@dataclass(frozen=True, slots=True)
class HalfClose:
    """Send a FIN; go on reading."""


@dataclass(frozen=True, slots=True)
class Abort:
    """Reset the connection."""


Step = bytes | Pause | Until | HalfClose | Abort


@dataclass(frozen=True, slots=True)
class Reply:
    """What the service behind answers to one request, byte for byte; and whether it closes then."""

    data: bytes
    closes: bool = False


# -- what must come of it -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrives:
    """A request that must have reached a service.

    `line` is its whole request line, `body` its body without framing, `has` whole header lines,
    `lacks` names (folded: lower case, `-` for all else) that must not be there. `person` says whose
    identity it bears; "session" is whosever the case's session is.
    """

    line: bytes | None = None
    body: bytes | None = None
    has: tuple[bytes, ...] = ()
    lacks: tuple[bytes, ...] = ()
    person: Person | Literal["session"] | None = "session"
    service: Literal["main", "admin"] = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """One outcome: the allowed statuses of each final answer in order, the end, what arrives.

    `codes` are the allowed `X-Gateway-Error` of the last answer; empty: not looked at. `holds` are
    bytes that stand in what came back, `hides` such that do not.
    """

    statuses: tuple[frozenset[int], ...] = ()
    ends: Ends = "either"
    arrives: tuple[Arrives, ...] = ()
    codes: frozenset[str] = frozenset()
    holds: tuple[bytes, ...] = ()
    hides: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Usual:
    """What route and session say: forwarded with the session's identity or none, or 401."""

    arrives: Arrives = Arrives()


def refused(*statuses: int, codes: Iterable[str] = (), ends: Ends = "closed") -> Expect:
    """Nothing arrives; one answer with one of these statuses."""
    return Expect(statuses=(frozenset(statuses),), ends=ends, codes=frozenset(codes))


def forwarded(*arrives: Arrives, status: int = 200, ends: Ends = "open") -> Expect:
    """Each of these arrives, in this order, and is answered."""
    each = arrives or (Arrives(),)
    return Expect(statuses=(frozenset({status}),) * len(each), ends=ends, arrives=each)


# -- rows -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Bytes and what must come of them.

    In `send` and `expect` these marks are replaced: `@ROUTE@` the route's prefix without
    its last slash, `@UP@` what a service sees of it, `@SESSION@` the header line that carries the
    session (nothing without one), `@A@` `@B@` `@BAD@` tokens, `@HOST@` the host,
    `@CODE@` a login code of 16 letters that nobody has sent before.
    `expect`: one of several outcomes. `may_arrive`: beginnings of request lines that were really
    sent (marks too); by default that of the first line. `methods`: of the requests, where an
    answer's length depends on them. `explained`: `gateway explain` must say the same; by default
    for those in one piece.
    """

    row: str
    title: str
    send: bytes | tuple[Step, ...]
    expect: Expect | Usual | tuple[Expect, ...]
    over: tuple[tuple[RouteKind, Carried], ...] = ON_PUBLIC
    stage: str = "usual"
    may_arrive: tuple[bytes, ...] = ()
    methods: tuple[bytes, ...] = ()
    replies: tuple[Reply, ...] = ()
    explained: bool | None = None

    @property
    def steps(self) -> tuple[Step, ...]:
        return (self.send,) if isinstance(self.send, bytes) else self.send

    @property
    def data(self) -> bytes:
        """All bytes that are sent, in one piece."""
        return b"".join(step for step in self.steps if isinstance(step, bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A row that takes more than one connection's bytes; `run` returns what is wrong."""

    row: str
    title: str
    run: "Callable[[Stage], list[str]]"
    stage: str = "usual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """A row that tests elsewhere in `tests/` hold: their node ids, from the top of the tree."""

    row: str
    title: str
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotApplicable:
    """A row, or a part of one, that cannot be asked of this version, and why."""

    row: str
    title: str
    reason: str


Entry = Case | Check | Proven | NotApplicable


def request(
    *lines: bytes,
    line: bytes = b"GET @ROUTE@/x HTTP/1.1",
    host: bytes = b"Host: @HOST@",
    session: bool = True,
    body: bytes = b"",
) -> bytes:
    """Write one request: request line, Host, these header lines, the session's line."""
    head = b"".join(each + b"\r\n" for each in (line, host, *lines) if each)
    return head + (b"@SESSION@" if session else b"") + b"\r\n" + body
