"""What is allowed in the settings but rarely meant: warnings for start-up and `gateway check`.

Pure.
"""

from collections.abc import Iterator

from gateway.settings.apps import PLATFORMS
from gateway.settings.findings import render
from gateway.settings.model import Settings
from gateway.settings.paths import login_pattern
from gateway.settings.routes import RouteSettings
from gateway.settings.unbuilt import UNBUILT

# Where clouds hand out credentials to whoever asks from inside: most, Alibaba, Tencent, AWS IPv6.
METADATA_HOSTS = frozenset(
    {
        "169.254.169.254",
        "100.100.100.200",
        "169.254.0.23",
        "fd00:ec2::254",
        "metadata.tencentyun.com",
        "metadata.google.internal",
    }
)
_SESSION_CALLS = ("renew", "ticket", "cookie")
_LOGIN_PLACES = {"platform": "|".join(PLATFORMS), "app_id": "[A-Za-z0-9_-]{1,64}"}


def advise(settings: Settings) -> Iterator[str]:
    """Name what an operator should look at twice."""
    yield from _metadata_targets(settings)
    yield from _trusted_everybody(settings)
    yield from _incomplete_login_paths(settings)
    yield from _shadowed_by_endpoints(settings)
    yield from _public_inside_required(settings)


def _metadata_targets(settings: Settings) -> Iterator[str]:
    for name, upstream in settings.upstreams.items():
        for index, target in enumerate(upstream.targets):
            if target.host in METADATA_HOSTS:
                place = render(("upstreams", name, "targets", index))
                yield f"{place}: {target.host} is a cloud's metadata service"


def _trusted_everybody(settings: Settings) -> Iterator[str]:
    for index, network in enumerate(settings.server.trusted_proxies):
        if network.prefixlen == 0:
            yield f"server.trusted_proxies[{index}]: {network} lets every client say who it is"


def _incomplete_login_paths(settings: Settings) -> Iterator[str]:
    for index, path in enumerate(settings.endpoints.login or ()):
        if "{" in path and "{app_id}" not in path:
            yield f"endpoints.login[{index}]: {path} does not hold {{app_id}}"


def _shadowed_by_endpoints(settings: Settings) -> Iterator[str]:
    hosts = settings.endpoints.hosts
    for index, route in enumerate(settings.routes):
        if hosts and route.host is not None and route.host not in hosts:
            continue
        for name in _answering(settings, route.path):
            yield f"routes[{index}]: {route.path} is answered by {name}, not by this route"


def _answering(settings: Settings, path: str) -> Iterator[str]:
    """Name the endpoints that answer the path a route is written for."""
    bare = path.rstrip("/") or "/"
    endpoints = settings.endpoints
    if settings.server.health_path in (path, bare):
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
