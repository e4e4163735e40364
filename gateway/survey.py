"""Reads a head's fields in one pass: what may go on, and what the rest says. Pure.

What a name means stands in `headers`; here is what values mean (attacks.md H1 to H18).
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from gateway.errors import GatewayError
from gateway.headers import END_TO_END, IN_ANSWER, IN_REQUEST, Field, Kind, options_of

TOKEN_PREFIX = b"gw1."
_PLAIN_BEARER = b"Bearer " + TOKEN_PREFIX
SCHEME_BYTES = len(b"Bearer ")
# Behind whatever may not stand in a credential itself (RFC 9110 11.2: token68).
_TOKEN = re.compile(rb"(?<![A-Za-z0-9._~+/-])%b" % re.escape(TOKEN_PREFIX))
# Looked up once: an attribute of an Enum costs as much as a whole step of the pass.
_COPIED, _DROPPED = Kind.COPIED, Kind.DROPPED
_AUTHORIZATION, _COOKIE, _TOKEN_FIELD = Kind.AUTHORIZATION, Kind.COOKIE, Kind.TOKEN
_CONTENT_TYPE, _CONNECTION = Kind.CONTENT_TYPE, Kind.CONNECTION


class Survey(NamedTuple):
    """What one pass over a head's fields found.

    `copied` may go on as it is, in order. `lines` are the same as header lines. `special` holds
    the values of names that mean something to us, in order, by kind.
    """

    copied: list[Field]
    lines: bytes
    special: dict[Kind, list[bytes]]

    def values(self, kind: Kind) -> list[bytes]:
        """List the values of one kind, in order."""
        return self.special.get(kind, [])


class RequestSurvey(NamedTuple):
    """What one pass over a request's fields found.

    `size_bytes` counts names, values and separators. `bearer` is the token of one `Authorization`
    that carries ours as nearly all clients write it; that one does not stand in `found`.
    """

    found: Survey
    size_bytes: int
    bearer: bytes | None


def survey_request(fields: Iterable[Field]) -> RequestSurvey:
    """Sort a request's fields: hop-by-hop, reserved names and our token do not go on.

    `Host`, framing and `Expect` are left out too: the caller writes them anew.
    """
    size_bytes = 0
    copied: list[Field] = []
    special: dict[Kind, list[bytes]] = {}
    bearer: bytes | None = None
    for field in fields:
        name, value = field
        size_bytes += len(name) + len(value) + 4
        kind = IN_REQUEST[name]
        if kind is _COPIED:
            copied.append(field)
        elif kind is _AUTHORIZATION and bearer is None and _is_plain_bearer(value):
            bearer = value[SCHEME_BYTES:]
        elif kind is not _DROPPED:
            special.setdefault(kind, []).append(value)
            if kind is _COOKIE or (kind is _AUTHORIZATION and not _holds_token(value)):
                copied.append(field)
    if _CONNECTION in special:
        copied = _without_named(copied, special[_CONNECTION])
    return RequestSurvey(Survey(copied, join_fields(copied), special), size_bytes, bearer)


def survey_answer(fields: Iterable[Field]) -> Survey:
    """Sort an answer's fields (design section 7, "To clients"); framing is left out."""
    copied: list[Field] = []
    special: dict[Kind, list[bytes]] = {}
    for field in fields:
        kind = IN_ANSWER[field[0]]
        if kind is _COPIED:
            copied.append(field)
        elif kind is not _DROPPED:
            special.setdefault(kind, []).append(field[1])
            if kind is _COOKIE or kind is _CONTENT_TYPE:
                copied.append(field)
    if _CONNECTION in special:
        copied = _without_named(copied, special[_CONNECTION])
    return Survey(copied, join_fields(copied), special)


_PLAIN_CONNECTIONS = ([b"keep-alive"], [b"Keep-Alive"], [b"upgrade"], [b"Upgrade"])
"""What `Connection` nearly always says; none of it names a field that is ever copied."""


def _without_named(copied: list[Field], named: list[bytes]) -> list[Field]:
    """Drop what `Connection` names as its own (RFC 9110 7.6.1)."""
    if named in _PLAIN_CONNECTIONS:
        return copied
    dropped = options_of(named) - END_TO_END
    return [field for field in copied if field[0].lower() not in dropped]


def join_fields(fields: Iterable[Field]) -> bytes:
    """Write fields as header lines."""
    return b"".join([b"%b: %b\r\n" % field for field in fields])


def check_names(found: Survey) -> None:
    """Refuse names that one reader takes for framing and another does not.

    Raises: GatewayError bad_request.
    """
    if Kind.MISSPELT in found.special:
        raise GatewayError("bad_request", "a header is spelt almost like one that frames requests")


def connection_options(found: Survey) -> frozenset[bytes]:
    """Collect what `Connection` names, lower-cased (RFC 9110 7.6.1)."""
    return options_of(found.values(Kind.CONNECTION))


# -- tokens ---------------------------------------------------------------------------------------


def read_token(found: Survey, bearer: bytes | None, cookie_name: str | None) -> str | None:
    """Find the session token in `Authorization`, `X-Session-Token` or our cookie.

    `bearer` is the one plainly carried, if any.

    An `Authorization` that does not hold a `gw1.` token is not ours (design section 5); an empty
    header or cookie holds none: clients send it before they have logged in.
    Raises: GatewayError token_conflict when two differ; session_invalid for one outside ASCII.
    """
    special = found.special
    if cookie_name is None and not (_TOKEN_FIELD in special or _AUTHORIZATION in special):
        return None if bearer is None else bearer.decode("ascii")
    tokens: list[bytes] = list(special.get(_TOKEN_FIELD, ()))
    if bearer is not None:
        tokens.append(bearer)
    for value in special.get(_AUTHORIZATION, ()):
        tokens += _bearer(value)
    if cookie_name is not None:
        for value in special.get(_COOKIE, ()):
            tokens += _cookies(value, cookie_name.encode())
    if len(tokens) > 1 or tokens == [b""]:
        tokens = sorted({*tokens} - {b""})
    if len(tokens) > 1:
        raise GatewayError("token_conflict", "send one token, in one place")
    if not tokens:
        return None
    if not tokens[0].isascii():
        raise GatewayError("session_invalid")
    return tokens[0].decode("ascii")


def _is_plain_bearer(value: bytes) -> bool:
    """Tell whether our token is carried as nearly all clients do: no odd case, no odd space."""
    is_bearer = value.startswith(_PLAIN_BEARER) and value.isascii()
    return is_bearer and value.find(b" ", SCHEME_BYTES) < 0 and b"\t" not in value


def _bearer(value: bytes) -> list[bytes]:
    scheme, _, rest = value.replace(b"\t", b" ").partition(b" ")
    credentials = rest.strip(b" ")
    is_ours = scheme.lower() == b"bearer" and credentials.startswith(TOKEN_PREFIX)
    return [credentials] if is_ours else []


def _holds_token(authorization: bytes) -> bool:
    """Tell whether a value holds a token of ours, in whatever wording: no service may see it."""
    return TOKEN_PREFIX in authorization and _TOKEN.search(authorization) is not None


def _cookies(value: bytes, name: bytes) -> list[bytes]:
    pairs = (pair.partition(b"=") for pair in value.split(b";") if name in pair)
    return [content.strip(b" \t") for key, _, content in pairs if key.strip(b" \t") == name]


# -- our cookie -----------------------------------------------------------------------------------


def lines_to_service(found: Survey, cookie_name: str | None) -> bytes:
    """Give the lines that are copied to a service: less our own cookie."""
    if cookie_name is None or _COOKIE not in found.special:
        return found.lines
    ours = cookie_name.encode()
    kept: list[Field] = []
    for field in found.copied:
        if field[0].lower() != b"cookie":
            kept.append(field)
        elif value := _cut_cookie(field[1], ours):
            kept.append((field[0], value))
    return join_fields(kept)


def _cut_cookie(value: bytes, name: bytes) -> bytes:
    if name not in value:
        return value
    pairs = value.split(b";")
    kept = [p for p in pairs if name not in p or p.partition(b"=")[0].strip(b" \t") != name]
    return b";".join(kept).strip(b" \t")


def lines_to_client(found: Survey, cookie_name: str | None) -> bytes:
    """Give the lines that are copied to a client: less what would set our own cookie."""
    if cookie_name is None or _COOKIE not in found.special:
        return found.lines
    copied = found.copied
    return join_fields(
        [f for f in copied if f[0].lower() != b"set-cookie" or not _sets(f[1], cookie_name)]
    )


def _sets(set_cookie: bytes, name: str) -> bool:
    """Tell whether a browser would send this back as our cookie; `=name=…` has no name to it."""
    return set_cookie.lstrip(b"= \t").partition(b"=")[0].strip(b" \t") == name.encode()
