"""Decides what a header field means by its name, in both directions. Pure; design section 7.

Names are compared lower-cased with each non-alphanumeric read as `-`, because services behind
CGI, WSGI or PHP cannot tell `X-OpenId` from `X_OpenId` or `X.OpenId` (attacks.md H1 to H11).
"""

from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum, auto

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
END_TO_END = frozenset(b"host content-length content-type authorization cookie".split())
"""`Connection` may not name these: a service would lose framing or credentials (H14)."""
# A second spelling of these would be framing for one reader and nothing for the other (T3, T4).
_FRAMING = frozenset(b"content-length transfer-encoding host expect upgrade connection te".split())
_STRIPPED_FROM_ANSWERS = (
    IDENTITY_NAMES | HOP_BY_HOP | {b"x-gateway-error", b"x-session-token", b"x-request-id"}
)


def fold(name: bytes) -> bytes:
    """Lower-case a name and read each non-alphanumeric as `-`."""
    return name.translate(_FOLD)


def values(fields: Iterable[Field], name: bytes) -> list[bytes]:
    """List the values of one name (lower case), in order."""
    return [value for key, value in fields if key.lower() == name]


def connection_tokens(fields: Iterable[Field]) -> frozenset[bytes]:
    """Collect what `Connection` names, lower-cased (RFC 9110 7.6.1)."""
    return options_of(values(fields, b"connection"))


def options_of(connections: list[bytes]) -> frozenset[bytes]:
    """Collect the options in the values of `Connection`, lower-cased."""
    # Equal options are dropped before the loop: a field of 32 KiB of commas costs nothing.
    named = set(b",".join(connections).lower().split(b","))
    return frozenset(option.strip(b" \t") for option in named) - {b""}


def is_reserved(folded: bytes) -> bool:
    """Tell whether only we may say this (folded) name to a service."""
    return folded in _RESERVED or folded.startswith(_RESERVED_FAMILIES)


# -- what a name means ----------------------------------------------------------------------------


class Kind(IntEnum):
    """What a field means to a gateway, by its name alone; an int, for its quick hash."""

    COPIED = auto()
    DROPPED = auto()
    MISSPELT = auto()
    HOST = auto()
    LENGTH = auto()
    CODING = auto()
    EXPECT = auto()
    UPGRADE = auto()
    CONNECTION = auto()
    AUTHORIZATION = auto()
    COOKIE = auto()
    TOKEN = auto()
    CONTENT_TYPE = auto()


_REQUEST_KINDS = {
    b"host": Kind.HOST,
    b"content-length": Kind.LENGTH,
    b"transfer-encoding": Kind.CODING,
    b"expect": Kind.EXPECT,
    b"upgrade": Kind.UPGRADE,
    b"connection": Kind.CONNECTION,
    b"authorization": Kind.AUTHORIZATION,
    b"cookie": Kind.COOKIE,
    b"x-session-token": Kind.TOKEN,
}
_ANSWER_KINDS = {
    b"content-length": Kind.LENGTH,
    b"transfer-encoding": Kind.CODING,
    b"connection": Kind.CONNECTION,
    b"set-cookie": Kind.COOKIE,
    b"content-type": Kind.CONTENT_TYPE,
}


def _kind_in_request(name: bytes) -> Kind:
    lower, folded = name.lower(), fold(name)
    if folded in _FRAMING and lower != folded:
        return Kind.MISSPELT
    if (kind := _REQUEST_KINDS.get(lower)) is not None:
        return kind
    return Kind.DROPPED if folded in HOP_BY_HOP or is_reserved(folded) else Kind.COPIED


def _kind_in_answer(name: bytes) -> Kind:
    if (kind := _ANSWER_KINDS.get(name.lower())) is not None:
        return kind
    return Kind.DROPPED if fold(name) in _STRIPPED_FROM_ANSWERS else Kind.COPIED


class _Kinds(dict[bytes, Kind]):
    """Names seen before, and their kinds: as `lru_cache`, without the call.

    It is emptied when full: what clients send must not fill memory.
    """

    MAX_NAMES = 1024
    MAX_NAME_BYTES = 64

    def __init__(self, classify: Callable[[bytes], Kind]) -> None:
        self._classify = classify

    def __missing__(self, name: bytes) -> Kind:
        kind = self._classify(name)
        if len(name) <= self.MAX_NAME_BYTES:
            if len(self) >= self.MAX_NAMES:
                self.clear()
            self[name] = kind
        return kind


IN_REQUEST: Mapping[bytes, Kind] = _Kinds(_kind_in_request)
"""What each name means in a request."""
IN_ANSWER: Mapping[bytes, Kind] = _Kinds(_kind_in_answer)
"""What each name means in an answer."""
