"""Decides which header names may pass, in both directions. Pure; design section 7.

Names are compared lower-cased with each non-alphanumeric read as `-`, because services behind
CGI, WSGI or PHP cannot tell `X-OpenId` from `X_OpenId` or `X.OpenId` (attacks.md H1 to H11).
"""

import re
from collections.abc import Iterable

from gateway.errors import GatewayError

Field = tuple[bytes, bytes]
"""A header field: name and value as received or as they will be written."""

_FOLD = bytes(
    ord(chr(code).lower()) if code < 0x80 and chr(code).isalnum() else ord("-")
    for code in range(256)
)

IDENTITY_NAMES = frozenset(
    b"x-openid x-platform x-appid x-subject x-unionid x-anonymous-openid x-user-id".split()
    + b"x-session-id x-gateway-assertion".split()
)
"""What we tell services (native profile), folded."""

_PROFILE_NAMES = frozenset(
    # ruoyi, userinfo, remote-user (ecosystem.md 1.3, 1.4); wx-cloudrun and douyin-cloud by family.
    b"user-id user-key username x-userinfo x-access-token x-id-token x-refresh-token".split()
    + b"remote-user remote-email remote-groups remote-name from-source sa-same-token".split()
    + b"x-auth-request-user x-auth-request-email x-auth-request-groups".split()
    + b"x-auth-request-preferred-username x-auth-request-access-token".split()
)
_ROUTING_NAMES = frozenset(
    # Names by which a service may be told another method, path, address or request id.
    b"forwarded x-forwarded x-real-ip x-request-id x-app-id x-open-id x-union-id".split()
    + b"x-http-method-override x-http-method x-method-override x-gateway-error".split()
)
_RESERVED = IDENTITY_NAMES | _PROFILE_NAMES | _ROUTING_NAMES
_RESERVED_FAMILIES = (
    b"x-forwarded-",
    b"x-original-",
    b"x-rewrite-",
    b"x-session-",
    b"x-gateway-",
    b"x-wx-",
    b"x-tt-",
)
HOP_BY_HOP = frozenset(
    # RFC 9110 7.6.1, and the older names that still mean this connection only.
    b"connection proxy-connection keep-alive te transfer-encoding upgrade trailer".split()
    + b"proxy-authorization proxy-authenticate http2-settings".split()
    # No header of HTTP: a CGI service takes it for its outbound proxy (CVE-2016-5385).
    + b"proxy".split()
)
# `Connection` may not name these: a service would lose framing or its caller's credentials (H14).
_END_TO_END = frozenset(b"host content-length content-type authorization cookie".split())
# A second spelling of these would be framing for one reader and nothing for the other (T3, T4).
_FRAMING = frozenset(b"content-length transfer-encoding host expect upgrade connection te".split())
_STRIPPED_FROM_ANSWERS = (
    IDENTITY_NAMES | HOP_BY_HOP | {b"x-gateway-error", b"x-session-token", b"x-request-id"}
)

TOKEN_HEADER = b"x-session-token"
TOKEN_PREFIX = b"gw1."
_TOKEN = re.compile(rb"(?:^|[ \t,=\"])%b" % re.escape(TOKEN_PREFIX))


def fold(name: bytes) -> bytes:
    """Lower-case a name and read each non-alphanumeric as `-`."""
    return name.translate(_FOLD)


def is_reserved(folded: bytes) -> bool:
    """Tell whether only we may say this (folded) name to a service."""
    return folded in _RESERVED or folded.startswith(_RESERVED_FAMILIES)


def check_names(fields: Iterable[Field]) -> None:
    """Refuse names that one reader takes for framing and another does not.

    Raises: GatewayError bad_request.
    """
    for name, _ in fields:
        folded = fold(name)
        if folded in _FRAMING and name.lower() != folded:
            raise GatewayError("bad_request", f"a header is spelt almost like {folded.decode()}")


def values(fields: Iterable[Field], name: bytes) -> list[bytes]:
    """List the values of one name (lower case), in order."""
    return [value for key, value in fields if key.lower() == name]


def connection_tokens(fields: Iterable[Field]) -> frozenset[bytes]:
    """Collect what `Connection` names, lower-cased (RFC 9110 7.6.1)."""
    named = b",".join(values(fields, b"connection")).lower()
    # Equal tokens are dropped before the loop: a field of 32 KiB of commas costs nothing.
    return frozenset(token.strip(b" \t") for token in set(named.split(b","))) - {b""}


def read_token(fields: Iterable[Field], cookie_name: str | None) -> str | None:
    """Find the session token in `Authorization`, `X-Session-Token` or our cookie.

    An `Authorization` that does not hold a `gw1.` token is not ours (design section 5); an empty
    header or cookie holds none: clients send it before they have logged in.
    Raises: GatewayError token_conflict when two differ; session_invalid for one outside ASCII.
    """
    found: set[bytes] = set()
    for name, value in fields:
        key = name.lower()
        if key == b"authorization":
            found.update(_bearer(value))
        elif key == TOKEN_HEADER:
            found.add(value)
        elif key == b"cookie" and cookie_name is not None:
            found.update(_cookies(value, cookie_name.encode()))
    found.discard(b"")
    if len(found) > 1:
        raise GatewayError("token_conflict", "send one token, in one place")
    if not found:
        return None
    token = found.pop()
    if not token.isascii():
        raise GatewayError("session_invalid")
    return token.decode("ascii")


def _bearer(value: bytes) -> list[bytes]:
    scheme, _, rest = value.replace(b"\t", b" ").partition(b" ")
    credentials = rest.strip(b" ")
    is_ours = scheme.lower() == b"bearer" and credentials.startswith(TOKEN_PREFIX)
    return [credentials] if is_ours else []


def _holds_token(authorization: bytes) -> bool:
    """Tell whether a value holds a token of ours, in whatever wording: no service may see it."""
    return _TOKEN.search(authorization) is not None


def _cookies(value: bytes, name: bytes) -> list[bytes]:
    pairs = (pair.partition(b"=") for pair in value.split(b";") if name in pair)
    return [content.strip(b" \t") for key, _, content in pairs if key.strip(b" \t") == name]


def copied_to_upstream(fields: tuple[Field, ...], cookie_name: str | None) -> list[Field]:
    """Keep what a client may say to a service: hop-by-hop, reserved names and our token go.

    `Host`, framing and `Expect` are left out too: the caller writes them anew.
    """
    dropped = connection_tokens(fields) - _END_TO_END
    kept: list[Field] = []
    for name, value in fields:
        lower = name.lower()
        folded = fold(name)
        if folded in HOP_BY_HOP or lower in dropped or lower in _WRITTEN_ANEW:
            continue
        if is_reserved(folded):
            continue
        if lower == b"authorization" and _holds_token(value):
            continue
        if lower == b"cookie" and cookie_name is not None:
            value = _without_cookie(value, cookie_name.encode())
            if not value:
                continue
        kept.append((name, value))
    return kept


_WRITTEN_ANEW = frozenset(b"host content-length expect".split())


def _without_cookie(value: bytes, name: bytes) -> bytes:
    if name not in value:
        return value
    pairs = value.split(b";")
    kept = [p for p in pairs if name not in p or p.partition(b"=")[0].strip(b" \t") != name]
    return b";".join(kept).strip(b" \t")


def copied_to_client(fields: list[Field], cookie_name: str | None) -> list[Field]:
    """Keep what a service may say to a client (design section 7, "To clients").

    Framing is left out: the caller writes it anew.
    """
    dropped = connection_tokens(fields) - _END_TO_END
    kept: list[Field] = []
    for name, value in fields:
        lower = name.lower()
        if lower in dropped or lower == b"content-length" or fold(name) in _STRIPPED_FROM_ANSWERS:
            continue
        if lower == b"set-cookie" and cookie_name is not None and _sets(value, cookie_name):
            continue
        kept.append((name, value))
    return kept


def _sets(set_cookie: bytes, name: str) -> bool:
    """Tell whether a browser would send this back as our cookie; `=name=…` has no name to it."""
    return set_cookie.lstrip(b"= \t").partition(b"=")[0].strip(b" \t") == name.encode()
