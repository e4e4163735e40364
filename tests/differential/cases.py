"""What a case of the differential test is, and how its bytes are built."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

HOST = "app.example.com"
NEVER_SENT_ON = ("connection", "keep-alive", "te", "trailer", "proxy-connection", "upgrade")
"""Names that end at the gateway: the request it is compared with goes without them."""


@dataclass(frozen=True, slots=True)
class Case:
    """One request: `lines` are header lines in latin-1, `body` stands framed as it is sent.

    `waits` for an interim 100 before the body; `dropped` names more that never get past us.
    """

    name: str
    method: str
    target: str
    lines: tuple[str, ...] = ()
    body: bytes = b""
    version: str = "1.1"
    waits: bool = False
    dropped: tuple[str, ...] = ()

    def head(self, more: Iterable[str] = ()) -> bytes:
        """The head as the client sends it, with more lines behind its own."""
        first = f"{self.method} {self.target} HTTP/{self.version}"
        lines = [first, f"Host: {HOST}", *self.lines, *more, "", ""]
        return "\r\n".join(lines).encode("latin-1")

    @property
    def sent_on(self) -> "Case":
        """The same request without the lines that are meant for the gateway alone."""
        ends_here = {*NEVER_SENT_ON, *self.dropped}
        kept = [line for line in self.lines if line.partition(":")[0].lower() not in ends_here]
        return replace(self, lines=tuple(kept))


def get(name: str, target: str, *lines: str) -> Case:
    """A GET."""
    return Case(name, "GET", target, lines)


def sized(name: str, method: str, target: str, body: bytes, *lines: str) -> Case:
    """A request whose body has a length."""
    return Case(name, method, target, (*lines, f"Content-Length: {len(body)}"), body)


def chunked(name: str, method: str, target: str, framed: bytes, *lines: str) -> Case:
    """A request whose body is chunked; `framed` has the chunks."""
    return Case(name, method, target, (*lines, "Transfer-Encoding: chunked"), framed)


def chunks(data: bytes, *sizes: int, extension: bytes = b"", trailers: bytes = b"") -> bytes:
    """Cut data into chunks of these sizes, over and over."""
    framed, at, turn = [], 0, 0
    while at < len(data):
        piece = data[at : at + sizes[turn % len(sizes)]]
        framed.append(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece))
        at, turn = at + len(piece), turn + 1
    return b"".join(framed) + b"0\r\n" + trailers + b"\r\n"
