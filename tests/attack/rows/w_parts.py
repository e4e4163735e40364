"""What handshakes and their answers are put together from."""

from tests.attack.model import Arrives, Expect, Reply, request

VERSION, KEY = b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = (b"Connection: Upgrade", b"Upgrade: websocket")
ACCEPT = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""To that key, by RFC 6455 1.3's own example."""


def handshake(*more: bytes, upgrade: tuple[bytes, ...] = UPGRADE, body: bytes = b"") -> bytes:
    return request(*upgrade, VERSION, KEY, *more, body=body)


def switch(*lines: bytes, status: bytes = b"101 Switching Protocols") -> Reply:
    """Answer with these fields and no body, then close."""
    fields = b"".join(line + b"\r\n" for line in lines)
    return Reply(b"HTTP/1.1 " + status + b"\r\n" + fields + b"\r\n", closes=True)


GOOD = switch(*UPGRADE, ACCEPT)
SWITCHED = Expect(statuses=(frozenset({101}),), ends="closed", arrives=(Arrives(),))
