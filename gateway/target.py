"""Decides which request targets may be read at all, and how one is read. Pure.

The path is matched on a canonical copy and forwarded as the bytes received (design section 8).
What two servers may read differently is refused: RFC 3986 5.2.4 (dot segments), 6.2.2.2
(unreserved characters), RFC 9112 3.2 (forms of the target).
"""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote_to_bytes

from gateway.errors import GatewayError

Oddity = Literal["double_slash", "encoded_slash", "semicolon"]

# Segments of harmless characters, none beginning with a dot: nothing to canonicalise or refuse.
_PLAIN = re.compile(r"(?:/[\w~+,:@!$&'()*=-][\w.~+,:@!$&'()*=-]*)*/?", re.ASCII)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_FORBIDDEN_RAW = re.compile(r"[^\x21-\x7e]|[\\#]")
_FORBIDDEN_ENCODED = re.compile(r"%(?:[01][0-9A-F]|7F|5C)")
_FORBIDDEN_QUERY = re.compile(r"[^\x21-\x7e]|#")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# Overlong UTF-8 for "." "/" "\", which lax decoders still take (attacks.md P7).
_OVERLONG = (("%C0%AE", "."), ("%C0%AF", "/"), ("%C1%9C", "/"))


@dataclass(frozen=True, slots=True)
class Target:
    """A request target in origin form.

    `raw` is the path as received, `query` what follows the first `?` (None without one), `path`
    the canonical copy for matching. `oddities` are spellings a route must allow by name.
    """

    raw: str
    query: str | None
    path: str
    oddities: frozenset[Oddity] = frozenset()

    def readings(self) -> list[str]:
        """List the other paths a service might read here, one for each oddity, and all together."""
        if not self.oddities:
            return []
        whole = _merge_slashes(_decode_slashes(_drop_parameters(self.path)))
        return [
            _merge_slashes(self.path),
            _decode_slashes(self.path),
            _drop_parameters(self.path),
            whole,
        ]


def _merge_slashes(path: str) -> str:
    return re.sub("/{2,}", "/", path)


def _decode_slashes(path: str) -> str:
    return path.replace("%2F", "/")


def _drop_parameters(path: str) -> str:
    return re.sub(";[^/]*", "", path)


def parse(target: str, max_bytes: int) -> Target:
    """Read a target (request line, `surrogateescape` for bytes >= 0x80).

    Raises: GatewayError target_too_long, target_refused.
    """
    if len(target) > max_bytes:
        raise GatewayError("target_too_long", f"the target is longer than {max_bytes} bytes")
    raw, mark, query = target.partition("?")
    if mark and _FORBIDDEN_QUERY.search(query):
        raise _refused("the query holds a character that must be percent-encoded")
    if raw and _PLAIN.fullmatch(raw):
        return Target(raw, query if mark else None, raw)
    return _parse_odd(raw, query if mark else None)


def _parse_odd(raw: str, query: str | None) -> Target:
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
    return Target(raw, query, path, _oddities(path))


def canonical(raw: str) -> str:
    """Decode escapes of unreserved characters and upper-case the others (RFC 3986 6.2.2)."""
    return _ESCAPE.sub(_decode_unreserved, raw) if "%" in raw else raw


def _decode_unreserved(match: re.Match[str]) -> str:
    character = chr(unquote_to_bytes(match[0])[0])
    return character if character in _UNRESERVED else match[0].upper()


def has_dot_segment(path: str) -> bool:
    """Tell whether any reading of a canonical path holds `.` or `..` as a segment."""
    for spelling, character in _OVERLONG:
        path = path.replace(spelling, character)
    segments = _decode_slashes(path).split("/")
    return any(segment.partition(";")[0] in {".", ".."} for segment in segments)


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
    if not target.raw.startswith(prefix) or rest[0] != "/" or rest.startswith("//"):
        raise _refused("the path spells its prefix in an unusual way")
    return rest
