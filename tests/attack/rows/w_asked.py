"""W2, W3, W5: handshakes that are none, and what stands behind one that was declined."""

from collections.abc import Iterator

from tests.attack.model import Arrives, Case, Entry, Expect, forwarded, request
from tests.attack.rows.t_parts import CHUNKED, MALFORMED, SMUGGLED, WHERE, shown
from tests.attack.rows.w_parts import (
    GOOD,
    KEY,
    SWITCHED,
    UPGRADE,
    VERSION,
    handshake,
    switch,
)


def _bodies() -> Iterator[Case]:
    """W2: a handshake has no body."""
    length = b"Content-Length: %d" % len(SMUGGLED)
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
    for title, lines, body in (
        ("a length", (length,), SMUGGLED),
        ("a length of 0", (b"Content-Length: 0",), SMUGGLED),
        ("chunks", (CHUNKED,), chunks),
        ("no chunks", (CHUNKED,), b"0\r\n\r\n" + SMUGGLED),
        ("both framings", (length, CHUNKED), chunks),
        ("a misspelt length", (b"Content_Length: 5",), SMUGGLED),
        ("another coding", (b"Transfer-Encoding: cow",), SMUGGLED),
    ):
        send = handshake(*lines, body=body)
        yield Case(
            row="W2", title=f"a handshake with {title}", send=send, expect=MALFORMED, over=WHERE
        )
    for method in (b"POST", b"HEAD", b"OPTIONS", b"PUT"):
        send = request(*UPGRADE, VERSION, KEY, line=method + b" @ROUTE@/x HTTP/1.1")
        title = f"a handshake by {method.decode()}"
        yield Case(row="W2", title=title, send=send + SMUGGLED, expect=MALFORMED, over=WHERE)
    send = request(*UPGRADE, VERSION, KEY, line=b"GET @ROUTE@/x HTTP/1.0")
    yield Case(row="W2", title="a handshake of HTTP/1.0", send=send, expect=MALFORMED, over=WHERE)


def _declined() -> Iterator[Case]:
    """W3: the classic upgrade smuggling: what stands behind a declined handshake goes nowhere."""
    length = b"Content-Length: 0"
    versions = (b"777", b"13, 777", b"", b"12", b"0", b"13\x0b")
    replies = (
        ("426", switch(b"Sec-WebSocket-Version: 13", length, status=b"426 Upgrade Required")),
        ("400", switch(length, status=b"400 Bad Request")),
        ("200", switch(length, status=b"200 OK")),
        ("403", switch(length, status=b"403 Forbidden")),
    )
    for version in versions:
        lines = (*UPGRADE, b"Sec-WebSocket-Version: " + version, KEY)
        for name, reply in replies:
            status = int(name)
            declined = Expect(statuses=(frozenset({status}),), ends="closed", arrives=(Arrives(),))
            yield Case(
                row="W3",
                title=f"version {shown(version)!r}, a request behind, the service says {name}",
                send=request(*lines, body=SMUGGLED),
                expect=(declined, MALFORMED),
                over=WHERE,
                replies=(reply,),
            )
    for title, fields in (
        ("no version", [KEY]),
        ("no key", [VERSION]),
        ("two keys", [VERSION, KEY, KEY]),
        ("an empty key", [VERSION, b"Sec-WebSocket-Key:"]),
    ):
        for name, reply in (replies[0], ("101 that cannot be right", GOOD)):
            status = 426 if name == "426" else 502
            once = Expect(statuses=(frozenset({status}),), ends="closed", arrives=(Arrives(),))
            outcomes = (once, SWITCHED) if title == "no version" else (once, MALFORMED)
            yield Case(
                row="W3",
                title=f"{title}, a request behind, the service says {name}",
                send=request(*UPGRADE, *fields, body=SMUGGLED),
                expect=outcomes,
                over=WHERE,
                replies=(reply,),
            )


_OTHERS = (
    *(b"h2c|TLS/1.0|TLS/1.2, HTTP/1.1|HTTP/2.0|IRC/6.9|connect-udp|evil|websocketx".split(b"|")),
    *(b"websocket, h2c|h2c, websocket|websocket, websocket|websocket/13|web socket|".split(b"|")),
    *(b'websocket;q=1|,websocket|websocket,|"websocket"|notupgrade|websocket\xa0'.split(b"|")),
)
_NOT_FOR_US = (
    b'notupgrade|upgradex|xupgrade|up-grade|keep-alive|upgrade;q=1|"upgrade"|up grade'
).split(b"|")


def _others() -> Iterator[Case]:
    """W5: only WebSocket is upgraded to; what is not asked of this connection is dropped."""
    for value in _OTHERS:
        lines = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: " + value)
        send = request(*lines, b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", body=SMUGGLED)
        title = f"Upgrade: {shown(value)}"
        yield Case(row="W5", title=title, send=send, expect=MALFORMED, over=WHERE)
    two = request(b"Connection: Upgrade", b"Upgrade: websocket", b"Upgrade: h2c", VERSION, KEY)
    yield Case(row="W5", title="two Upgrade lines", send=two, expect=MALFORMED, over=WHERE)
    dropped = forwarded(Arrives(lacks=(b"upgrade", b"connection", b"http2-settings")))
    for value in _NOT_FOR_US:
        for name in (b"h2c", b"websocket"):
            send = request(b"Connection: " + value, b"Upgrade: " + name)
            title = f"Connection: {shown(value)}, Upgrade: {name.decode()}"
            yield Case(row="W5", title=title, send=send, expect=dropped, over=WHERE)
    for connection in (b"Upgrade", b"upgrade", b"UPGRADE", b"keep-alive, Upgrade", b",,upgrade ,"):
        for protocol in (b"websocket", b"WebSocket", b"WEBSOCKET"):
            lines = (b"Connection: " + connection, b"Upgrade: " + protocol)
            yield Case(
                row="W5",
                title=f"{lines[0].decode()}, {lines[1].decode()}",
                send=handshake(upgrade=lines),
                expect=SWITCHED,
                over=WHERE[:1],
                replies=(GOOD,),
            )
    twice = (b"Connection: keep-alive", b"Connection: Upgrade", b"Upgrade: websocket")
    yield Case(
        row="W5",
        title="two Connection lines",
        send=handshake(upgrade=twice),
        expect=SWITCHED,
        over=WHERE[:1],
        replies=(GOOD,),
    )


def entries() -> Iterator[Entry]:
    """List W2, W3 and W5."""
    yield from _bodies()
    yield from _declined()
    yield from _others()
