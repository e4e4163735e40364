"""What is allowed in the routes but rarely meant: the part of `advice` that looks at routes.

Pure. Which route a request takes is decided in `gateway.routing`; here stands what follows from it.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote

from gateway.settings.apps import PLATFORMS
from gateway.settings.model import Settings
from gateway.settings.paths import login_pattern
from gateway.settings.routes import RouteSettings
from gateway.settings.unbuilt import UNBUILT

_SESSION_CALLS = ("renew", "ticket", "cookie")
_LOGIN_PLACES = {"platform": "|".join(PLATFORMS), "app_id": "[A-Za-z0-9_-]{1,64}"}
# What RFC 3986 3.3 lets stand in a segment as it is, encoded: `! $ & ' ( ) * + , : = @`.
# An encoded `;` is left out: as it is, no path in the settings may hold it.
_ENCODED_NEEDLESSLY = re.compile("(?:%(?:2[146789ABC]|3[AD]|40))+")


def advise_routes(settings: Settings) -> Iterator[str]:
    """Name what an operator should look at twice."""
    yield from _shadowed_by_endpoints(settings)
    yield from _shadowing_health_path(settings)
    yield from _public_inside_required(settings)
    yield from _encoded_needlessly(settings)
    yield from _without_tickets(settings)


def _shadowed_by_endpoints(settings: Settings) -> Iterator[str]:
    hosts = settings.endpoints.hosts
    for index, route in enumerate(settings.routes):
        if hosts and route.host is not None and route.host not in hosts:
            continue
        for name in _answering(settings, route):
            yield f"routes[{index}]: {route.path} is answered by {name}, not by this route"


def _answering(settings: Settings, route: RouteSettings) -> Iterator[str]:
    """Name the endpoints that answer the path a route is written for."""
    bare = route.path.rstrip("/") or "/"
    endpoints = settings.endpoints
    # The health path is a route without host: one that names its host comes before it.
    if route.host is None and settings.server.health_path in (route.path, bare):
        yield "server.health_path"
    for index, pattern in enumerate(endpoints.login or ()):
        if login_pattern(pattern, _LOGIN_PLACES).fullmatch(bare):
            yield f"endpoints.login[{index}]"
    for name in ("logout", "session", "decrypt", "phone", "auth", "jwks"):
        own: str | None = getattr(endpoints, name)
        is_built = ("endpoints", name) not in UNBUILT
        if own is not None and is_built and _answers(name, own, bare):
            yield f"endpoints.{name}"


def _answers(name: str, own: str, path: str) -> bool:
    """Whether an endpoint answers this path; some own what is below them (design section 4)."""
    if name == "auth" and path.startswith(own + "/"):
        return True
    below = _SESSION_CALLS if name == "session" else ()
    return path == own or path in (f"{own}/{call}" for call in below)


def _shadowing_health_path(settings: Settings) -> Iterator[str]:
    """Name routes of one host that own the health path: they come before it (design section 8)."""
    path = settings.server.health_path
    if path is None:
        return
    winners: dict[str, tuple[int, RouteSettings]] = {}
    for index, route in enumerate(settings.routes):
        if route.host is not None and _owns(route.path, path):
            _, before = winners.setdefault(route.host, (index, route))
            if _rank(route.path, path) > _rank(before.path, path):
                winners[route.host] = (index, route)
    for host, (index, route) in winners.items():
        # A public route for this very path is a health answer of its own.
        if route.path != path or route.session != "none":
            yield f"routes[{index}]: on {host}, {route.path} takes {path} from server.health_path"


def _rank(place: str, path: str) -> tuple[bool, int]:
    """Order routes that own a path as they are tried: exact before prefix, then the longest."""
    return place == path, len(place)


def _owns(place: str, path: str) -> bool:
    """Whether a route's path leads a request for a path to that route."""
    return place == path or (place.endswith("/") and (path.rstrip("/") + "/").startswith(place))


def _public_inside_required(settings: Settings) -> Iterator[str]:
    for index, public in enumerate(settings.routes):
        if public.session != "none":
            continue
        for other, required in enumerate(settings.routes):
            if required.session == "required" and _opens(public, required):
                yield (
                    f"routes[{index}]: {public.path} is public inside routes[{other}], "
                    f"{required.path}, which requires a session"
                )


def _opens(public: RouteSettings, required: RouteSettings) -> bool:
    """Whether requests that one route would have checked reach the public one instead."""
    is_prefix = required.path.endswith("/")
    is_inside = is_prefix and public.path.startswith(required.path)
    if public.host == required.host:
        return is_inside and public.path != required.path
    # Routes that name the request's host come before those that name none (design section 8).
    covers = public.path.endswith("/") and required.path.startswith(public.path)
    return public.host is not None and required.host is None and (is_inside or covers)


def _encoded_needlessly(settings: Settings) -> Iterator[str]:
    """Name paths that miss the requests of clients who do not encode (RFC 3986, 2.2)."""
    known = {(route.host, route.path) for route in settings.routes}
    for index, route in enumerate(settings.routes):
        usual = _ENCODED_NEEDLESSLY.sub(lambda escapes: unquote(escapes[0]), route.path)
        if usual != route.path and not known & {(route.host, usual), (None, usual)}:
            place = f"routes[{index}].path"
            yield f"{place}: {route.path} misses requests for {usual}, as most clients write it"


def _without_tickets(settings: Settings) -> Iterator[str]:
    """Name routes that take tickets where there is nowhere to get one (design section 4)."""
    if settings.endpoints.session is None:
        for index, route in enumerate(settings.routes):
            if route.ticket:
                yield f"routes[{index}].ticket: endpoints.session is null, so nobody gets a ticket"
