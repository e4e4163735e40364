"""Rules that concern several settings at once: server, sessions, apps, upstreams.

Pure. They read what was written, not the checked models, so that one mistake hides no other; what
has the wrong shape is left to the models. Routes have their own file.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from gateway.settings.apps import PLATFORMS
from gateway.settings.findings import Finding, Loc, quote
from gateway.settings.part import Part
from gateway.settings.server import AdminSettings, EndpointsSettings, ServerSettings
from gateway.settings.sessions import SessionSettings
from gateway.settings.walk import Raw, parts, section, value_at

_P = TypeVar("_P", bound=Part)


def check_parts(raw: Raw, base: Path) -> Iterator[Finding]:
    """Find what does not fit together outside the routes."""
    yield from _check_listeners(raw, base)
    yield from _check_admin_tokens(raw)
    yield from _check_endpoints(raw, base)
    yield from _check_lifetimes(raw, base)
    yield from _check_apps(raw)
    for loc, upstream in parts(raw, "upstreams"):
        yield from _check_upstream_tls(loc, upstream)


def _part(model: type[_P], raw: Raw, name: str, base: Path) -> _P | None:
    """Read one part by itself; None where it has mistakes of its own."""
    try:
        return model.model_validate(section(raw, name), context={"base": base})
    except ValidationError:
        return None


def _check_listeners(raw: Raw, base: Path) -> Iterator[Finding]:
    server = _part(ServerSettings, raw, "server", base)
    admin = _part(AdminSettings, raw, "admin", base)
    if server and admin and server.listen == admin.listen and server.listen.port != 0:
        yield Finding(("admin", "listen"), "another address than the public listener's")


def _check_admin_tokens(raw: Raw) -> Iterator[Finding]:
    seen: set[object] = set()
    for loc, token in parts(raw, "admin", "tokens"):
        name = token.get("name")
        if isinstance(name, str) and name in seen:
            yield Finding((*loc, "name"), "a name that no other token has")
        seen.add(name if isinstance(name, str) else None)


def _check_endpoints(raw: Raw, base: Path) -> Iterator[Finding]:
    endpoints = _part(EndpointsSettings, raw, "endpoints", base)
    server = _part(ServerSettings, raw, "server", base)
    if endpoints is None:
        return
    places: list[tuple[Loc, str | None]] = [
        (("endpoints", name), getattr(endpoints, name))
        for name in ("logout", "session", "decrypt", "phone", "auth", "jwks")
    ]
    places += [
        (("endpoints", "login", index), path) for index, path in enumerate(endpoints.login or ())
    ]
    places.append((("server", "health_path"), server.health_path if server else None))
    yield from _check_distinct(places)


def _check_distinct(places: list[tuple[Loc, str | None]]) -> Iterator[Finding]:
    seen: set[str] = set()
    for loc, path in places:
        if path is not None and path in seen:
            yield Finding(loc, "a path that no other endpoint has", quote(path))
        seen.add(path or "")


def _check_lifetimes(raw: Raw, base: Path) -> Iterator[Finding]:
    session = _part(SessionSettings, raw, "session", base)
    if session and session.max_lifetime < session.lifetime:
        yield Finding(("session", "max_lifetime"), "a duration of at least session.lifetime")


def _check_apps(raw: Raw) -> Iterator[Finding]:
    seen: dict[tuple[str, str], str] = {}
    for loc, app in parts(raw, "apps"):
        yield from _check_app_id(loc, app)
        yield from _check_platform_options(loc, app)
        key = "app_key" if app.get("platform") == "baidu" else "app_id"
        identity = (str(app.get("platform")), str(app.get(key)))
        if app.get(key) is not None and identity in seen:
            found = f"the {key} of the app {quote(seen[identity])}"
            yield Finding((*loc, key), "each app once", found)
        seen.setdefault(identity, str(loc[-1]))
        is_mock = str(app.get("api_base", "")).lower().startswith("http://")
        if is_mock and raw.get("environment", "production") == "production":
            yield Finding((*loc, "api_base"), "an https:// address; http only in development")


def _check_app_id(loc: Loc, app: Raw) -> Iterator[Finding]:
    """Baidu has three ids; its login uses the App Key (platforms.md section 3)."""
    platform = app.get("platform")
    if platform not in PLATFORMS:
        return
    needed, other = ("app_key", "app_id") if platform == "baidu" else ("app_id", "app_key")
    if app.get(needed) is None:
        yield Finding((*loc, needed), f"a value: {platform} needs {needed}", "nothing")
    if app.get(other) is not None:
        yield Finding((*loc, other), f"leave it out: {platform} has {needed}")


def _check_platform_options(loc: Loc, app: Raw) -> Iterator[Finding]:
    is_baidu = app.get("platform") == "baidu"
    if is_baidu and app.get("kind") == "mini-game":
        yield Finding((*loc, "kind"), "mini-program: baidu has no mini-games")
    if not is_baidu and app.get("api") == "v2":
        yield Finding((*loc, "api"), "leave it out: only baidu has two interfaces")


def _check_upstream_tls(loc: Loc, upstream: Raw) -> Iterator[Finding]:
    tls = upstream.get("tls")
    if tls is None:
        return
    targets = upstream.get("targets")
    is_https = isinstance(targets, list) and any(
        str(target).startswith("https://") for target in targets
    )
    if isinstance(targets, list) and not is_https:
        yield Finding((*loc, "tls"), "leave it out, or an https:// target")
    has_cert = value_at(tls, ("cert",)) is not None
    has_key = value_at(tls, ("key",)) is not None
    if has_cert != has_key:
        missing = "key" if has_cert else "cert"
        yield Finding((*loc, "tls", missing), "a file: cert and key go together", "nothing")
