"""Decides how long an upstream's answer is. Pure; RFC 9112 6.3, RFC 9110 8.6."""

from gateway.errors import GatewayError
from gateway.headers import Field, values


def read_framing(status: int, fields: list[Field]) -> tuple[int | None, bool]:
    """Return the declared length in bytes, None without one, and whether the body is chunked.

    Raises: GatewayError upstream_error when the length has two meanings, or one we do not know.
    """
    codings = values(fields, b"transfer-encoding")
    lengths = values(fields, b"content-length")
    if len(codings) > 1 or len(lengths) > 1 or (codings and lengths):
        raise GatewayError("upstream_error", "the service's framing is ambiguous")
    if codings and codings[0].strip().lower() != b"chunked":
        raise GatewayError("upstream_error", "the service's transfer coding is unknown")
    if lengths and not lengths[0].strip().isdigit():
        raise GatewayError("upstream_error", "the service's content length is no number")
    if status < 200 or status == 204:
        return None, False  # these may not speak of a body at all (RFC 9110 8.6, RFC 9112 6.1)
    return (int(lengths[0]) if lengths else None), bool(codings)
