"""Makes a case of an honest request: target, fields and body must arrive as they were sent."""

from collections.abc import Iterable

from tests.attack.model import Arrives, Carried, Case, Reply, RouteKind, forwarded

ROW = "honest"
"""No row of the page: these are requests that must not be hurt."""
_ENDS_HERE = frozenset(
    b"connection keep-alive proxy-connection te upgrade expect x-session-token".split()
)
"""Fields for the connection or for us; every other one goes on."""
_WRITTEN_ANEW = {name.lower(): name for name in (b"Host", b"Content-Length", b"Transfer-Encoding")}
"""Fields whose names, not their values, are in our own spelling."""
_BOTH: tuple[tuple[RouteKind, Carried], ...] = (("public", "none"), ("required", "valid"))


def passing(
    title: str,
    data: bytes,
    *,
    body: bytes | None = None,
    stage: str = "usual",
    replies: Iterable[Reply] = (),
    status: int = 200,
) -> Case:
    """Expect a request to pass unchanged; `body` without framing, where that is chunked.

    Under `@ROUTE@` it is sent on a public route, and on a required one with a session.
    """
    bare = data.removeprefix(b"\r\n").replace(b"@SESSION@", b"", 1)
    head, _, rest = bare.partition(b"\r\n\r\n")
    line, *fields = head.split(b"\r\n")
    method, target, _ = line.split(b" ")
    is_1_0 = line.endswith(b"HTTP/1.0")
    seen = line.replace(b"@ROUTE@", b"@UP@", 1).removesuffix(b"1.0").removesuffix(b"1.1") + b"1.1"
    arrives = Arrives(
        line=seen,
        body=rest if body is None else body,
        has=tuple(_normal(field) for field in fields if _goes_on(field)),
    )
    over = _BOTH if b"@ROUTE@" in line else (("public", "none"), ("public", "valid"))
    ends = "closed" if is_1_0 or b"Connection: close" in head else "open"
    return Case(
        row=ROW,
        title=title,
        send=data,
        expect=forwarded(arrives, status=status, ends=ends),  # type: ignore[arg-type] # both are ends
        over=over,
        stage=stage,
        may_arrive=(b"%b %b" % (method, target),),
        methods=(method,),
        replies=tuple(replies),
    )


def _goes_on(field: bytes) -> bool:
    return field.partition(b":")[0].lower() not in _ENDS_HERE


def _normal(field: bytes) -> bytes:
    """A line as it must arrive: spaces around a value are none of it (RFC 9112 5)."""
    name, _, value = field.partition(b":")
    return b"%b: %b" % (_WRITTEN_ANEW.get(name.lower(), name), value.strip(b" \t"))
