"""Decides which route a request takes, by host, path and method. Pure; design section 8."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from gateway.errors import Answer, GatewayError, wrong_method
from gateway.target import Oddity, Target

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""Methods a route takes when it names none (RFC 9110 9, RFC 5789); CONNECT and TRACE never."""


MAX_KNOWN = 4096
"""Paths whose route is remembered; forgotten all at once when there are more."""
MAX_KNOWN_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class Route:
    """One rule: what it serves, by whom, and what it asks of a session.

    Empty `methods` means all; None for `apps` or `platforms`, no limit. Exactly one of `upstream`
    and `respond` is set. `ticket` says whether a ticket in the query is taken. Time in seconds,
    sizes in bytes; None means the wider setting holds.
    """

    path: str
    host: str | None = None
    methods: frozenset[str] = frozenset()
    upstream: str | None = None
    respond: Answer | None = None
    session: Literal["required", "optional", "none"] = "required"
    anonymous: bool = False
    apps: frozenset[str] | None = None
    platforms: frozenset[str] | None = None
    strip_prefix: str | None = None
    allow: frozenset[Oddity] = frozenset()
    ticket: bool = False
    body_bytes: int | None = None
    first_byte_s: float | None = None
    idle_s: float | None = None
    stream_idle_s: float | None = None
    name: str = field(init=False)
    """The route as logs and metrics name it."""
    is_prefix: bool = field(init=False)

    def __post_init__(self) -> None:
        # Once for each route, never once for each request.
        object.__setattr__(self, "name", f"{self.host or ''}{self.path}")
        object.__setattr__(self, "is_prefix", self.path.endswith("/"))

    def takes(self, method: str) -> bool:
        """Tell whether this method is served; GET takes HEAD along."""
        if not self.methods:
            return method in METHODS
        return method in self.methods or (method == "HEAD" and "GET" in self.methods)


@dataclass(slots=True)
class _Host:
    """The routes of one host (or of none): exact paths, prefixes, and the prefixes' lengths."""

    exact: dict[str, list[Route]] = field(default_factory=dict)
    prefixes: dict[str, list[Route]] = field(default_factory=dict)
    lengths: list[int] = field(default_factory=list)

    def find(self, path: str) -> list[Route] | None:
        """Find the routes of the best place: exact before prefix, then the longest."""
        if routes := self.exact.get(path):
            return routes
        owned = f"{path}/"  # a prefix owns its path without the slash, too
        for length in self.lengths:
            if routes := self.prefixes.get(owned[:length]):
                return routes
        return None


class Router:
    """All routes, indexed once; a look-up costs one step for each length of prefix."""

    def __init__(self, routes: Iterable[Route]) -> None:
        hosts: dict[str | None, _Host] = {None: _Host()}
        for route in routes:
            host = hosts.setdefault(route.host, _Host())
            places = host.prefixes if route.is_prefix else host.exact
            places.setdefault(route.path, []).append(route)
        for host in hosts.values():
            host.lengths = sorted({len(path) for path in host.prefixes}, reverse=True)
        self._hosts: Mapping[str | None, _Host] = hosts
        self._no_host = hosts[None]
        self._known: dict[tuple[str, str, str], Route] = {}

    def _find(self, host: str, path: str) -> list[Route] | None:
        named = self._hosts.get(host)
        found = named.find(path) if named is not None else None
        return found or self._no_host.find(path)

    def match(self, host: str, target: Target, method: str) -> Route:
        """Choose the route; the first place that fits decides, methods are pooled there.

        `host` is lower-case, without port. Raises: GatewayError route_not_found,
        method_not_allowed, target_refused (a spelling the route does not allow).
        """
        if target.is_plain:
            known = self._known.get((host, target.path, method))
            if known is not None:
                return known
        route = self._choose(host, target, method)
        if target.is_plain and len(target.path) <= MAX_KNOWN_CHARACTERS:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[host, target.path, method] = route
        return route

    def _choose(self, host: str, target: Target, method: str) -> Route:
        routes = self._find(host, target.path)
        if routes is None:
            raise GatewayError("route_not_found", "no route has this host and path")
        route = next((route for route in routes if route.takes(method)), None)
        if route is None:
            raise wrong_method(_methods_of(routes))
        if not target.is_plain:
            self._check_spelling(host, target, route, routes)
        return route

    def _check_spelling(self, host: str, target: Target, route: Route, routes: list[Route]) -> None:
        refused = target.oddities - route.allow
        if refused:
            names = ", ".join(sorted(refused))
            raise GatewayError("target_refused", f"this route does not allow: {names}")
        # Whatever the service makes of what the route does not name, the route must stay the same.
        settled = len(route.path) - 1 if route.is_prefix else len(target.path)
        for reading in target.readings(settled):
            if self._find(host, reading) is not routes:
                raise GatewayError("target_refused", "another reading has another route")


def _methods_of(routes: list[Route]) -> tuple[str, ...]:
    return tuple(method for method in METHODS if any(route.takes(method) for route in routes))
