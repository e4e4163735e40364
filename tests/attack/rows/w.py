"""W: WebSocket and upgrades: no tunnel before a validated 101, none without a session."""

from collections.abc import Iterator

from tests.attack.model import (
    Arrives,
    Carried,
    Case,
    Check,
    Entry,
    Expect,
    NotApplicable,
    Proven,
    RouteKind,
    refused,
    request,
)
from tests.attack.rows import w_asked
from tests.attack.rows.t_parts import SMUGGLED, WHERE
from tests.attack.rows.w_parts import (
    ACCEPT,
    GOOD,
    KEY,
    SWITCHED,
    UPGRADE,
    VERSION,
    handshake,
    switch,
)
from tests.attack.stage import Stage, ask

FAMILY = "W"
_TUNNEL = "tests/proxy/test_tunnel.py::"
_UNLET: tuple[tuple[RouteKind, Carried], ...] = (
    ("required", "none"),
    ("required", "invalid"),
    ("optional", "invalid"),
)


_NOT_ASKED = Expect(
    statuses=(frozenset({502}),), arrives=(Arrives(),), codes=frozenset({"upstream_error"})
)


def _sessions() -> Iterator[Entry]:
    """W1: a handshake is a request like any other."""
    for title, more in (
        ("a handshake", ()),
        ("a handshake with a query", (b"Origin: http://evil",)),
        ("a handshake that names a protocol", (b"Sec-WebSocket-Protocol: gw1.evil",)),
    ):
        yield Case(
            row="W1",
            title=f"{title} without a session",
            send=handshake(*more, body=SMUGGLED),
            expect=refused(401),
            over=_UNLET,
            replies=(GOOD,),
        )
    yield Case(
        row="W1",
        title="a handshake with a session",
        send=handshake(),
        expect=SWITCHED,
        over=WHERE,
        replies=(GOOD,),
    )
    yield Check(row="W1", title="a session that was ended", run=_ended_session)
    yield Proven(
        row="W1",
        title="no byte reaches the service; an expired session is none, whatever it asks for",
        tests=(
            f"{_TUNNEL}test_no_byte_reaches_the_service_without_a_session",
            "tests/test_bad_input.py::test_an_expired_token",
        ),
    )


def _ended_session(stage: Stage) -> list[str]:
    token, _ = stage.login("A", "user-who-leaves")
    host = stage.host.decode()
    carried = {"Authorization": f"Bearer {token}", "Host": host}
    ask(stage.port, "POST", "/logout", carried)
    for recorder in stage.services.values():
        recorder.take()
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    status, _ = ask(stage.port, "GET", "/api/x", carried | upgrade | key)
    arrived = [each for recorder in stage.services.values() for each in recorder.take()]
    wrong = [] if status == 401 else [f"answered {status}, expected 401"]
    return wrong + ["something reached a service"] * bool(arrived)


_SWITCHES = (
    ("no accept", UPGRADE),
    ("an empty accept", (*UPGRADE, b"Sec-WebSocket-Accept:")),
    ("another accept", (*UPGRADE, b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
    ("two accepts", (*UPGRADE, ACCEPT, ACCEPT)),
    ("the accept in lower case", (*UPGRADE, ACCEPT.lower())),
    ("no Upgrade", (b"Connection: Upgrade", ACCEPT)),
    ("no Connection", (b"Upgrade: websocket", ACCEPT)),
    ("Connection: close", (b"Connection: close", b"Upgrade: websocket", ACCEPT)),
    ("another protocol", (b"Connection: Upgrade", b"Upgrade: h2c", ACCEPT)),
    ("two protocols", (b"Connection: Upgrade", b"Upgrade: websocket, h2c", ACCEPT)),
    ("a sub-protocol not offered", (*UPGRADE, ACCEPT, b"Sec-WebSocket-Protocol: evil")),
    ("an extension not offered", (*UPGRADE, ACCEPT, b"Sec-WebSocket-Extensions: evil")),
    ("two lengths", (*UPGRADE, ACCEPT, b"Content-Length: 1", b"Content-Length: 2")),
)


def _switches() -> Iterator[Case]:
    """W3, W4: a 101 counts only as the answer to what was asked."""
    for title, lines in _SWITCHES:
        yield Case(
            row="W4",
            title=f"101 with {title}",
            send=handshake(body=SMUGGLED),
            expect=_NOT_ASKED,
            over=WHERE,
            replies=(switch(*lines),),
        )
    plain = (
        ("a plain request", request()),
        ("Upgrade without Connection", request(b"Upgrade: websocket", VERSION, KEY)),
        ("Connection without Upgrade", request(b"Connection: Upgrade", VERSION, KEY)),
        ("HEAD", request(line=b"HEAD @ROUTE@/x HTTP/1.1")),
        ("POST", request(b"Content-Length: 0", line=b"POST @ROUTE@/x HTTP/1.1")),
    )
    for title, send in plain:
        yield Case(
            row="W4",
            title=f"101 to {title}",
            send=send,
            expect=_NOT_ASKED,
            over=WHERE,
            replies=(GOOD,),
        )


def _elsewhere() -> Iterator[Entry]:
    """W6 to W9: what a tunnel is and is not, mostly held by the tests of the tunnel."""
    protocol = b"Sec-WebSocket-Protocol: chat, gw1.evil"
    yield Case(
        row="W6",
        title="no token is taken from the sub-protocol",
        send=request(*UPGRADE, VERSION, KEY, b"Sec-WebSocket-Protocol: @A@", session=False),
        expect=refused(401),
        over=_UNLET[:1],
        replies=(GOOD,),
    )
    yield Case(
        row="W6",
        title="Origin and sub-protocols go on to the service, which decides about them",
        send=handshake(b"Origin: http://other.example", protocol.replace(b"gw1.evil", b"v2")),
        expect=Expect(
            statuses=(frozenset({101}),),
            ends="closed",
            arrives=(Arrives(has=(b"Origin: http://other.example",)),),
        ),
        replies=(GOOD,),
    )
    yield NotApplicable(
        row="W6",
        title="an allow-list of origins, a token in the sub-protocol",
        reason="no setting does this: tokens in headers are no ambient authority, and"
        " `session.cookie`, which would be one, is refused by this version",
    )
    yield Proven(
        row="W7",
        title="a tunnel ends with its session, at its expiry, and when it is silent",
        tests=(
            f"{_TUNNEL}test_a_logout_ends_the_sessions_tunnels_only",
            f"{_TUNNEL}test_a_session_that_ends_within_the_handshake",
            f"{_TUNNEL}test_a_session_s_expiry_ends_its_tunnel",
            f"{_TUNNEL}test_a_silent_tunnel_ends",
            "tests/proxy/test_live.py::test_a_websocket_ends_at_its_successor_s_expiry",
        ),
    )
    yield NotApplicable(
        row="W7",
        title="a lifetime cap of a tunnel that no session opened",
        reason="no setting does this: with a session its end is the cap, without one"
        " silence ends a tunnel and nothing else does",
    )
    yield NotApplicable(
        row="W7",
        title="pings of our own",
        reason="a byte tunnel: pings are the two ends' own, and pass",
    )
    yield Proven(
        row="W8",
        title="frame headers are followed, however cut; what cannot be followed has no Close in it",
        tests=("tests/proxy/test_frames.py", "tests/proxy/test_side.py"),
    )
    yield NotApplicable(
        row="W8",
        title="compression bombs, invalid UTF-8, masks, reserved bits",
        reason="payloads are not parsed: they are the service's to judge",
    )
    yield Proven(
        row="W9",
        title="back-pressure both ways; a side that takes nothing ends it",
        tests=(
            f"{_TUNNEL}test_a_client_that_does_not_read_stops_the_service",
            f"{_TUNNEL}test_much_behind_the_handshake_is_bounded_and_passes",
            f"{_TUNNEL}test_a_side_that_takes_nothing_ends_it",
        ),
    )
    yield NotApplicable(
        row="W9",
        title="a cap on one user's connections",
        reason="no setting caps one user's connections",
    )


def entries() -> Iterator[Entry]:
    """List the family's rows."""
    yield from _sessions()
    yield from w_asked.entries()
    yield from _switches()
    yield from _elsewhere()
