"""Decides which request targets may be read at all, and how one is read. Pure.

The path is matched on a canonical copy and forwarded as the bytes received (design section 8).
What two servers may read differently is refused: RFC 3986 5.2.4 (dot segments), 6.2.2.2
(unreserved characters), RFC 9112 3.2 (forms of the target).
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, NamedTuple
from urllib.parse import unquote

from gateway.errors import GatewayError

Oddity = Literal["double_slash", "encoded_slash", "semicolon"]

# Segments of harmless characters, none beginning with a dot: nothing to canonicalise or refuse.
_PLAIN = re.compile(r"(?:/[\w~+,:@!$&'()*=-][\w.~+,:@!$&'()*=-]*)*/?", re.ASCII)
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_FORBIDDEN_RAW = re.compile(r"[^\x21-\x7e]|[\\#]")
_FORBIDDEN_ENCODED = re.compile(r"%(?:[01][0-9A-F]|7F|5C)")
_FORBIDDEN_QUERY = re.compile(r"[^\x21-\x7e]|#")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_RESERVED = frozenset("!$&'()*+,;=:@")
"""What RFC 3986 3.3 lets stand in a segment beside the unreserved; most services decode it."""

# What `canonical` respells: escapes, and what RFC 3986 3.3 lets no path hold as it is.
_SPELT = re.compile(r"%([0-9A-Fa-f]{2})|[\"<>\[\]^`{|}]")
_CANONICAL = tuple(chr(code) if chr(code) in _UNRESERVED else f"%{code:02X}" for code in range(256))
_ESCAPED_RESERVED = re.compile("|".join(f"%{ord(each):02X}" for each in sorted(_RESERVED)))
# Overlong UTF-8 in two, three or four bytes, which lax decoders still take (attacks.md P7).
_OVERLONG = re.compile(r"(?:%C|(?:%E0|%F0%80)%8)([01])%([89AB][0-9A-F])")
_NO_ODDITIES: frozenset[Oddity] = frozenset()
_NO_TICKETS: tuple[str, ...] = ()
_DOT_SEGMENT = re.compile(r"/\.{1,2}(?:[/;?#]|$)")
MAX_SHORT = 256
"""Targets of up to so many characters are remembered with what was read in them."""
TICKET_NAME = "gw_ticket"
"""What carries a ticket in a query; no service is ever told of it (design section 4)."""
MAX_READINGS = 32
"""Ways to read one path; far more than any honest spelling has."""


class Target(NamedTuple):
    """A request target in origin form.

    `raw` is the path as received, `query` what follows the first `?` (None without one) less
    tickets, `path` the canonical copy for matching. `oddities` are spellings a route must allow by
    name; `is_plain` says that nobody can read the path otherwise. `tickets` are those the query
    held, decoded, in order; an empty one is none.
    """

    raw: str
    query: str | None
    path: str
    oddities: frozenset[Oddity] = frozenset()
    is_plain: bool = False
    tickets: tuple[str, ...] = ()

    def readings(self, settled: int = 0) -> Iterator[str]:
        """Give the other paths a service might read here, by any of its steps in any order.

        The first `settled` characters stand in the settings as they are and are not in question.
        Raises: GatewayError target_refused, when the readings are too many to look at.
        """
        start, rest = self.path[:settled], self.path[settled:]
        found = {rest}
        unread = [] if self.is_plain else [rest]
        while unread:
            path = unread.pop()
            for reading in {step(path) for step in _STEPS} - found:
                found.add(reading)
                unread.append(reading)
                yield start + reading
            if len(found) > MAX_READINGS:
                raise _refused("the path can be read in too many ways")


# -- what services do to a path -------------------------------------------------------------------


def _merge_slashes(path: str) -> str:
    return re.sub("/{2,}", "/", path)


def _decode_slashes(path: str) -> str:
    return path.replace("%2F", "/")


def _drop_parameters(path: str) -> str:
    return re.sub(";[^/]*", "", path)


def _decode_reserved(path: str) -> str:
    return _ESCAPED_RESERVED.sub(lambda escape: chr(int(escape[0][1:], 16)), path)


def _decode_overlong(path: str) -> str:
    return _OVERLONG.sub(_read_overlong, path)


def _read_overlong(match: re.Match[str]) -> str:
    character = chr(int(match[1]) << 6 | int(match[2], 16) & 0x3F)
    if character in "/\\":
        return "/"
    return character if character in _RESERVED else _CANONICAL[ord(character)]


def _cut_encoded_end(path: str) -> str:
    """Read an encoded `?` or `#` as the end of the path (attacks.md P11, P15)."""
    return re.split("%3F|%23", path, maxsplit=1)[0]


_STEPS = (
    _merge_slashes,
    _decode_slashes,
    _drop_parameters,
    _decode_reserved,
    _decode_overlong,
    _cut_encoded_end,
)


# -- reading --------------------------------------------------------------------------------------


def parse(target: str, max_bytes: int) -> Target:
    """Read a target (request line, `surrogateescape` for bytes >= 0x80).

    Raises: GatewayError target_too_long, target_refused.
    """
    if len(target) > max_bytes:
        raise GatewayError("target_too_long", f"the target is longer than {max_bytes} bytes")
    return _parse_short(target) if len(target) <= MAX_SHORT else _parse(target)


def _parse(target: str) -> Target:
    raw, mark, query = target.partition("?")
    if mark and _FORBIDDEN_QUERY.search(query):
        raise _refused("the query holds a character that must be percent-encoded")
    tickets, rest = _NO_TICKETS, query if mark else None
    if TICKET_NAME in query or "%" in query:
        tickets, rest = _cut_tickets(query)
    if raw and _PLAIN.fullmatch(raw):
        return Target(raw, rest, raw, _NO_ODDITIES, True, tickets)
    return _parse_odd(raw, rest, tickets)


# The length is looked at first: what clients send must not fill the cache with long keys.
_parse_short = lru_cache(maxsize=2048)(_parse)


def _cut_tickets(query: str) -> tuple[tuple[str, ...], str | None]:
    """Take the tickets out of a query; the rest stays byte for byte, or is nothing at all."""
    kept, tickets = [], []
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if unquote(name) == TICKET_NAME:
            tickets.append(unquote(value))
        else:
            kept.append(pair)
    return tuple(filter(None, tickets)), "&".join(kept) if kept else None


def _parse_odd(raw: str, query: str | None, tickets: tuple[str, ...]) -> Target:
    if not raw.startswith("/"):
        raise _refused("the target must begin with a slash")
    if _FORBIDDEN_RAW.search(raw):
        raise _refused("the path holds a character that must be percent-encoded")
    if _BAD_PERCENT.search(raw):
        raise _refused("the path holds a percent sign that is no escape")
    path = canonical(raw)
    if _FORBIDDEN_ENCODED.search(path):
        raise _refused("the path holds an encoded control character or backslash")
    if has_dot_segment(path):
        raise _refused("the path holds a dot segment")
    return Target(raw, query, path, _oddities(path), False, tickets)


def canonical(raw: str) -> str:
    """Spell a path as routes are matched (RFC 3986 6.2.2).

    Escapes of unreserved characters are decoded, other escapes upper-cased, and what no path may
    hold unescaped is escaped.
    """
    return _SPELT.sub(_spell, raw)


def _spell(match: re.Match[str]) -> str:
    return _CANONICAL[int(match[1], 16) if match[1] else ord(match[0])]


def has_dot_segment(path: str) -> bool:
    """Tell whether any reading of a canonical path holds `.` or `..` as a segment."""
    return _DOT_SEGMENT.search(_decode_all(path)) is not None


def _decode_all(path: str) -> str:
    path = _decode_reserved(_decode_slashes(_decode_overlong(path)))
    return path.replace("%3F", "?").replace("%23", "#")


def _oddities(path: str) -> frozenset[Oddity]:
    found: list[Oddity] = []
    if "//" in path:
        found.append("double_slash")
    if "%2F" in path:
        found.append("encoded_slash")
    if ";" in path:
        found.append("semicolon")
    return frozenset(found)


def _refused(detail: str) -> GatewayError:
    return GatewayError("target_refused", detail)


def strip(target: Target, prefix: str) -> str:
    """Cut a literal prefix off the raw path; the rest begins with exactly one slash.

    Raises: GatewayError target_refused, when the prefix is spelt otherwise or the rest is odd.
    """
    rest = target.raw[len(prefix) :] or "/"
    # A rest such as `/%2Fa` or `/;/a` begins with two slashes for some services (R1 to R4).
    if (
        not target.raw.startswith(prefix)
        or rest[0] != "/"
        or _drop_parameters(_decode_all(canonical(rest))).startswith("//")
    ):
        raise _refused("the path spells its prefix in an unusual way")
    return rest
