"""Fuzzes targets: what is accepted has one meaning, whoever reads it (attacks.md P and R).

The readings here are written anew, over bytes, and more lenient than any service we know.
"""

import re
from itertools import product
from urllib.parse import unquote_to_bytes

from gateway.errors import GatewayError
from gateway.routing import Route, Router
from gateway.target import Target, parse, strip
from tests.attack.fuzz.fuzzer import Fuzzer, must

_MAX_BYTES = 1024
_PREFIX = "/api"
_ALL = frozenset({"double_slash", "encoded_slash", "semicolon"})
_ROUTES = (
    Route("/", upstream="main", session="none"),
    Route("/public/", upstream="main", session="none"),
    Route("/public/lenient/", upstream="main", session="none", allow=_ALL),  # type: ignore[arg-type] # three of three names
    Route("/api/", upstream="main", strip_prefix=_PREFIX),
    Route("/admin/", upstream="admin"),
    Route("/admin/exact", upstream="admin", session="optional"),
)
_BARE = (
    Route("/public/", upstream="main", session="none", allow=_ALL),  # type: ignore[arg-type] # as above
    Route("/admin/", upstream="admin"),
)
"""Few routes that allow much: no root that takes what nothing else does."""
_OVERLONG = re.compile(rb"(?:[\xc0\xc1]|(?:\xe0|\xf0\x80)[\x80\x81])[\x80-\xbf]")
_ENCODED = re.compile(rb"%[0-9A-Fa-f]{2}")


def check(data: bytes) -> None:
    """Read a target; compare with what services might read."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        target = parse(text, _MAX_BYTES)
    except GatewayError as error:
        must(error.code in {"target_refused", "target_too_long"}, "another refusal")
        return
    _check_parts(text, target)
    # Overlong UTF-8 of these is two bytes of GBK, too, which services are sent (P21).
    decoded = unquote_to_bytes(target.raw)
    must(not re.search(rb"[\x00-\x1f\x7f\\]", decoded), "a control character or backslash")
    for reading in decodings(target.raw):
        must(not has_dot_segment(reading), "a dot segment in a reading of an accepted target")
    _check_readings(target)
    _check_strip(target)
    for routes in (_ROUTES, _BARE):
        _check_route(target, routes)


def _check_parts(text: str, target: Target) -> None:
    path, mark, query = text.partition("?")
    must(len(text) <= _MAX_BYTES, "too long")
    must(target.raw == path, "the path is not the one received")
    must(re.fullmatch(r"/[\x21-\x7e]*", path) and "#" not in text, "the path's characters")
    must(re.fullmatch(r"[\x21-\x7e]*", query), "the query's characters")
    pairs = query.split("&") if mark else []
    is_ticket = [unquote_to_bytes(each.partition("=")[0]) == b"gw_ticket" for each in pairs]
    kept = [each for each, ours in zip(pairs, is_ticket, strict=True) if not ours]
    must((target.query or "") == "&".join(kept), "the query is not what was received")
    must(len(target.tickets) <= sum(is_ticket), "a ticket that was not sent")
    again = parse(target.path, 3 * _MAX_BYTES)
    must(again.path == target.path, "the canonical path is not its own")


def _check_readings(target: Target) -> None:
    """What the router looks at holds no dot segment either; plain targets have no other reading."""
    try:
        readings = [target.path, *target.readings()]
    except GatewayError as error:
        must(error.code == "target_refused", "another refusal")
        return
    for reading in readings:
        must(not has_dot_segment(reading.encode()), "a dot segment in one of our readings")
    if target.is_plain:
        must(all(each == target.raw.encode() for each in decodings(target.raw)), "not so plain")


def _check_strip(target: Target) -> None:
    try:
        rest = strip(target, _PREFIX)
    except GatewayError as error:
        must(error.code == "target_refused", "another refusal")
        return
    must(_PREFIX + rest == target.raw or (rest, target.raw) == ("/", _PREFIX), "not the rest")
    for reading in decodings(rest):
        must(re.match(rb"/(?!/)", reading), "the rest does not begin with exactly one slash")


def _check_route(target: Target, routes: tuple[Route, ...]) -> None:
    """No reading of what was admitted as public leads to a path that is not."""
    try:
        route = Router(routes).match("host", target, "GET")
    except GatewayError as error:
        must(error.code in {"target_refused", "route_not_found"}, "another refusal")
        return
    if route.upstream == "admin":
        return
    for reading in decodings(target.raw):
        must(not re.match(rb"/+admin(/|$)", reading), "a reading leads behind another route")


# -- what services may read -----------------------------------------------------------------------


def decodings(raw: str) -> set[bytes]:
    """Read a path as services do: decoded once or not, in whole or in part, then cleaned up."""
    data = raw.encode("latin-1", "replace")
    found = {data}
    whole = unquote_to_bytes(data)
    for once in (_decode_some(data), whole, _OVERLONG.sub(_shorten, whole)):
        found.add(once)
        for parameters, end, slashes in product((False, True), repeat=3):
            path = re.sub(rb";[^/]*", b"", once) if parameters else once
            path = re.split(rb"[?#]", path)[0] if end else path
            found.add(re.sub(rb"/{2,}", b"/", path) if slashes else path)
    return found


def _decode_some(data: bytes) -> bytes:
    """Decode all but slashes, as who wants to keep segments apart."""
    return _ENCODED.sub(lambda one: one[0] if one[0].lower() == b"%2f" else _byte(one[0]), data)


def _byte(escape: bytes) -> bytes:
    return bytes((int(escape[1:], 16),))


def _shorten(match: re.Match[bytes]) -> bytes:
    """Read overlong UTF-8 of two to four bytes: only the last two hold anything."""
    before, last = match[0][-2:]
    return bytes(((before << 6 | last & 0x3F) & 0x7F,))


def has_dot_segment(path: bytes) -> bool:
    """Whether a service that cuts parameters off would see `.` or `..`."""
    segments = re.split(rb"[/\\]", path)
    return any(re.split(rb"[;?#]", each)[0] in (b".", b"..") for each in segments)


FUZZER = Fuzzer(
    name="targets",
    title="request targets: reading, canonical form, other readings, prefix strip, routing",
    modules=("gateway.target", "gateway.routing"),
    check=check,
    seeds=(
        *(b"/", b"/public/x", b"/api", b"/api/x?y=1&gw_ticket=gwt1.x&z", b"/admin/exact"),
        *(b"/public/lenient/%2fx;y//z", b"/%61pi/x", b"/a%25b/%E8%AE%A2", b"/api//x", b"/a%2Eb"),
        *(
            b"/public/%2f%61dmin",
            b"/public/%3b/x",
            b"/x%c0%afy",
            b"http://a/b",
            b"*",
            b"/public/.x",
        ),
    ),
    words=(
        *(b"%2e", b"%2E", b"%2f", b"%2F", b"%5c", b"%3b", b"%3f", b"%23", b"%25", b"%61", b"%00"),
        *(b"%c0%ae", b"%C0%AF", b"%e0%80%af", b"%f0%80%80%ae", b"%c1%9c", b"%252e", b"%u002e"),
        *(b"..", b"./", b"../", b"//", b";", b"/;", b"..;", b"?", b"#", b"\\", b"&", b"gw_ticket="),
        *(b"/admin", b"/admin/", b"/api", b"/public/", b"/public/lenient/", b"admin", b"exact"),
    ),
    max_bytes=160,
)
