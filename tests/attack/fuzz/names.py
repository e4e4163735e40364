"""Names that only a gateway may say, written out again: the fuzzers must not believe its own list.

design.md section 7; ecosystem.md 1.3 and 1.4 for other hosts' profiles; RFC 9110 7.6.1.
"""

IDENTITY = frozenset(
    b"x-openid x-platform x-appid x-subject x-unionid x-anonymous-openid x-user-id".split()
    + b"x-session-id x-gateway-assertion".split()
)
_OTHERS = frozenset(
    b"x-app-id from-source forwarded x-real-ip x-request-id remote-user remote-email".split()
    + b"user-id user-key username x-userinfo x-access-token x-auth-request-user".split()
    + b"x-http-method-override x-method-override x-gateway-error".split()
)
_FAMILIES = tuple(b"x-forwarded- x-original- x-rewrite- x-session- x-gateway- x-wx- x-tt-".split())
HOP_BY_HOP = frozenset(
    b"connection proxy-connection keep-alive te transfer-encoding upgrade trailer".split()
    + b"proxy-authorization proxy-authenticate http2-settings proxy".split()
)
FRAMING = frozenset(b"content-length transfer-encoding host expect upgrade connection te".split())


def folded(name: bytes) -> bytes:
    """A name as CGI, WSGI and PHP read it: lower case, all but letters and digits as `-`."""
    return bytes(c if chr(c).isalnum() and c < 0x80 else ord("-") for c in name.lower())


def is_reserved(name: bytes) -> bool:
    """Whether a name, in whatever spelling, is one that only a gateway may say to a service."""
    fold = folded(name)
    return fold in IDENTITY or fold in _OTHERS or fold.startswith(_FAMILIES)
