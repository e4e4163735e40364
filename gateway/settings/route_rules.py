"""Rules for routes that concern several settings at once.

Pure. Like `rules`, they read what was written, so that one mistake hides no other.
"""

from collections.abc import Hashable, Iterator, Mapping

from gateway.settings.addresses import check_host
from gateway.settings.findings import Finding, Loc, RefusedError, one_of
from gateway.settings.scalars import plain
from gateway.settings.walk import Raw, entries, parts, value_at


def check_routes(raw: Raw) -> Iterator[Finding]:
    """Find what does not fit together in the routes."""
    for loc, route in parts(raw, "routes"):
        yield from _check_answer(loc, route)
        yield from _check_names(raw, loc, route)
        yield from _check_visitors(loc, route)
        yield from _check_strip_prefix(loc, route)
        yield from _check_assertion(raw, loc, route)
    yield from _check_duplicates(raw)


def _check_answer(loc: Loc, route: Raw) -> Iterator[Finding]:
    """A route leads to a service, or answers itself with a text or a file."""
    allowed = "either upstream or respond"
    yield from _one(loc, route, ("upstream", "respond"), allowed)
    respond = route.get("respond")
    if isinstance(respond, Mapping):
        yield from _one((*loc, "respond"), respond, ("body", "file"), "either body or file")


def _one(loc: Loc, part: Raw, keys: tuple[str, str], allowed: str) -> Iterator[Finding]:
    given = [key for key in keys if part.get(key) is not None]
    if len(given) != 1:
        yield Finding(
            loc, allowed, " and ".join(given) if given else f"neither {keys[0]} nor {keys[1]}"
        )


def _check_names(raw: Raw, loc: Loc, route: Raw) -> Iterator[Finding]:
    """A route names upstreams and apps that exist."""
    yield from _check_name(raw, "upstreams", (*loc, "upstream"), route.get("upstream"))
    for place, name in entries(raw, *loc, "apps"):
        yield from _check_name(raw, "apps", place, name)


def _check_name(raw: Raw, kind: str, loc: Loc, name: object) -> Iterator[Finding]:
    known = raw.get(kind, {})
    if isinstance(known, Mapping) and isinstance(name, str) and name not in known:
        yield Finding(loc, one_of((str(key) for key in known), name))


def _check_visitors(loc: Loc, route: Raw) -> Iterator[Finding]:
    """Where neither token nor ticket is looked at, nobody can be told apart."""
    if route.get("session") != "none":
        return
    for key in ("apps", "platforms"):
        if route.get(key) is not None:
            yield Finding((*loc, key), "leave it out, or session: required or optional")
    if plain(route.get("ticket")) is True:
        yield Finding((*loc, "ticket"), "leave it out, or session: required or optional")
    if plain(route.get("anonymous")) is True:
        yield Finding((*loc, "anonymous"), "leave it out: session: none lets everybody in")


def _check_strip_prefix(loc: Loc, route: Raw) -> Iterator[Finding]:
    prefix, path = route.get("strip_prefix"), route.get("path")
    if not isinstance(prefix, str) or not isinstance(path, str):
        return
    if path != prefix and not path.startswith(prefix + "/"):
        yield Finding((*loc, "strip_prefix"), "whole segments at the beginning of the route's path")


def _check_assertion(raw: Raw, loc: Loc, route: Raw) -> Iterator[Finding]:
    """Assertions are signed with identity.signing_keys; production makes none by itself."""
    is_production = raw.get("environment", "production") == "production"
    is_asked = plain(route.get("assertion")) is True
    if is_production and is_asked and raw.get("identity") is None:
        yield Finding((*loc, "assertion"), "false, or identity with signing_keys")


def _check_duplicates(raw: Raw) -> Iterator[Finding]:
    seen: dict[Hashable, Loc] = {}
    for loc, route in parts(raw, "routes"):
        key = (_host(route), str(route.get("path")), _methods(route))
        if route.get("path") is not None and key in seen:
            first = seen[key][-1]
            found = f"the host, path and methods of routes[{first}]"
            yield Finding(loc, "each host, path and set of methods once", found)
        seen.setdefault(key, loc)


def _host(route: Raw) -> str | None:
    host = route.get("host")
    try:
        return None if host is None else check_host(host)
    except RefusedError:
        return str(host)


def _methods(route: Raw) -> frozenset[str] | None:
    methods = value_at(route, ("methods",))
    return frozenset(map(str, methods)) if isinstance(methods, list) else None
