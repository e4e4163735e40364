"""Turns settings into the parts that work: routes, upstreams, apps, own endpoints, sessions.

It opens nothing; `app` does, in order.
"""

import secrets
import ssl
from collections.abc import Callable, Iterable

from aiohttp import web
from aiohttp_session import session_middleware

from gateway.admin.api import AdminApi
from gateway.admin.tokens import AdminToken, AdminTokens
from gateway.admission import AdmissionLimits
from gateway.clients import Trust
from gateway.clock import Clock
from gateway.endpoints.apps import Apps
from gateway.endpoints.login import Login
from gateway.endpoints.session import Logout, Show, ShowSession
from gateway.endpoints.table import Endpoint, Endpoints
from gateway.errors import Answer
from gateway.headers import read_token
from gateway.platforms.base import Exchange, PlatformApp
from gateway.protocol import ProtocolLimits
from gateway.proxy.exchange import ProxyLimits
from gateway.proxy.pool import Pool, PoolLimits, TargetAddress
from gateway.proxy.upstream import Upstream, UpstreamTimeouts
from gateway.routing import Route, Router
from gateway.sessions.keyring import KeyRing
from gateway.sessions.service import SessionPolicy, SessionService
from gateway.sessions.storage import TokenStorage
from gateway.sessions.store import SessionStore
from gateway.sessions.stores import open_store
from gateway.sessions.token import TokenSigner
from gateway.settings import RouteSettings, Settings, UpstreamSettings
from gateway.settings.upstreams import UpstreamTls

ALIAS_METHODS = ("GET", "POST")


def new_request_id() -> str:
    """Make a request id: 128 random bits in hex."""
    return secrets.token_hex(16)


def build_trust(settings: Settings) -> Trust:
    """Whom we believe."""
    return Trust(settings.server.trusted_proxies, settings.server.client_ip_header)


def build_admission_limits(settings: Settings) -> AdmissionLimits:
    """The sizes of a head."""
    limits = settings.server.limits
    return AdmissionLimits(headers_bytes=limits.headers, target_bytes=limits.target)


def build_protocol_limits(settings: Settings) -> ProtocolLimits:
    """The bounds of client connections."""
    limits, timeouts = settings.server.limits, settings.server.timeouts
    return ProtocolLimits(
        headers_bytes=limits.headers,
        target_bytes=limits.target,
        headers_s=timeouts.headers,
        keepalive_s=timeouts.keepalive,
        connections=limits.connections,
        connections_per_ip=limits.connections_per_ip,
    )


def build_proxy_limits(settings: Settings) -> ProxyLimits:
    """The bounds of bodies."""
    timeouts = settings.server.timeouts
    return ProxyLimits(
        body_bytes=settings.server.limits.body,
        body_idle_s=timeouts.body_idle,
        body_rate_bytes=timeouts.body_rate,
        write_idle_s=timeouts.write_idle,
    )


# -- routes ---------------------------------------------------------------------------------------


def build_router(settings: Settings) -> Router:
    """The routes, and the health path as one of them."""
    routes = [_build_route(route) for route in settings.routes]
    if settings.server.health_path is not None:
        routes.insert(0, _health_route(settings.server.health_path))
    return Router(routes)


def _health_route(path: str) -> Route:
    answer = Answer(200, (("Content-Type", "text/plain"), ("Cache-Control", "no-store")), b"ok\n")
    return Route(path=path, methods=frozenset({"GET"}), session="none", respond=answer)


def _build_route(route: RouteSettings) -> Route:
    respond = None
    if route.respond is not None:
        content_type = ("Content-Type", route.respond.content_type)
        respond = Answer(route.respond.status, (content_type,), route.respond.content)
    return Route(
        path=route.path,
        host=route.host,
        methods=frozenset(route.methods or ()),
        upstream=route.upstream,
        respond=respond,
        session=route.session,
        anonymous=route.anonymous,
        apps=None if route.apps is None else frozenset(route.apps),
        platforms=None if route.platforms is None else frozenset(route.platforms),
        strip_prefix=route.strip_prefix,
        allow=frozenset(route.allow),
        body_bytes=route.limits.body,
        first_byte_s=route.timeouts.first_byte,
        idle_s=route.timeouts.idle,
        stream_idle_s=route.timeouts.stream_idle,
    )


# -- upstreams ------------------------------------------------------------------------------------


def build_upstreams(settings: Settings) -> dict[str, Upstream]:
    """The services behind, by name. Raises: OSError, ssl.SSLError for unusable TLS files."""
    return {name: _build_upstream(name, each) for name, each in settings.upstreams.items()}


def _build_upstream(name: str, settings: UpstreamSettings) -> Upstream:
    timeouts = settings.timeouts
    limits = PoolLimits(settings.connections, timeouts.connect, timeouts.keepalive)
    return Upstream(
        name,
        [Pool(address, limits) for address in _addresses(settings)],
        UpstreamTimeouts(timeouts.first_byte, timeouts.idle, timeouts.stream_idle),
        retries=settings.retries,
        sends_client_host=settings.host_header == "client",
    )


def _addresses(settings: UpstreamSettings) -> Iterable[TargetAddress]:
    is_tls = any(target.scheme == "https" for target in settings.targets)
    context = _tls_context(settings.tls) if is_tls else None
    server_name = settings.tls.server_name if settings.tls is not None else None
    for target in settings.targets:
        yield TargetAddress(
            host=target.host or "",
            port=target.port or 0,
            unix_path=None if target.path is None else str(target.path),
            authority=target.authority,
            tls=context if target.scheme == "https" else None,
            server_name=server_name,
        )


def _tls_context(tls: UpstreamTls | None) -> ssl.SSLContext:
    """Verified TLS to a service, with our certificate where it asks for one."""
    context = ssl.create_default_context(cafile=tls.ca if tls is not None else None)
    if tls is not None and tls.cert is not None:
        context.load_cert_chain(tls.cert, tls.key)
    return context


# -- own endpoints --------------------------------------------------------------------------------


def build_apps(settings: Settings) -> list[PlatformApp]:
    """The configured apps as platforms need them."""
    return [
        PlatformApp(
            name=name,
            platform=app.platform,
            app_id=app.app_identifier,
            secret=app.secret.get_secret_value(),
            next_secret=app.next_secret.get_secret_value() if app.next_secret else None,
            kind=app.kind,
            api=app.api,
            api_base=app.api_base,
            proxy=app.proxy,
            timeout_s=app.timeout or settings.login.timeout,
            keeps_unionid=app.unionid,
        )
        for name, app in settings.apps.items()
    ]


def build_endpoints(
    settings: Settings, exchange: Exchange, sessions: SessionService, clock: Clock
) -> Endpoints:
    """The paths the gateway answers itself."""
    show = ShowSession(clock, exposes_openid=settings.session.expose_openid)
    login = Login(Apps(build_apps(settings)), exchange, sessions, show)
    own = settings.endpoints
    table = [
        Endpoint("login", path, ALIAS_METHODS if "{" in path else ("POST",), login)
        for path in own.login or ()
    ]
    if own.logout is not None:
        table.append(Endpoint("logout", own.logout, ("POST",), Logout(sessions)))
    if own.session is not None:
        table.append(Endpoint("session", own.session, ("GET", "HEAD"), Show(show)))

    def read(request: web.BaseRequest) -> str | None:
        return read_token(request.raw_headers, cookie_name(settings))

    storage = TokenStorage(sessions, read)
    return Endpoints(table, own.hosts, session_middleware(storage))


def cookie_name(settings: Settings) -> str | None:
    """The name of our cookie, if pages may use one."""
    return None if settings.session.cookie is None else settings.session.cookie.name


# -- sessions, admin ------------------------------------------------------------------------------


def build_store(settings: Settings, clock: Clock) -> SessionStore:
    """The configured store, not yet open."""
    return open_store(settings.session.store.url, clock)


def build_sessions(
    settings: Settings, clock: Clock, store: SessionStore | None = None
) -> SessionService:
    """Sessions over the configured store, or over this one."""
    session = settings.session
    return SessionService(
        store or build_store(settings, clock),
        TokenSigner([key.get_secret_value() for key in session.signing_keys]),
        KeyRing([key.get_secret_value() for key in session.encryption_keys]),
        clock,
        SessionPolicy(
            lifetime_s=session.lifetime,
            max_lifetime_s=session.max_lifetime,
            idle_timeout_s=session.idle_timeout,
            max_per_subject=session.max_per_subject,
        ),
        secrets.token_bytes,
    )


def build_admin_tokens(settings: Settings) -> AdminTokens:
    """Who may use the admin API."""
    return AdminTokens(
        [
            AdminToken(each.name, each.token.get_secret_value(), frozenset(each.scopes))
            for each in settings.admin.tokens
        ]
    )


def build_admin_api(
    settings: Settings, sessions: SessionService, is_draining: Callable[[], bool]
) -> AdminApi:
    """Health, and the admin API over these sessions."""
    apps = Apps(build_apps(settings))
    return AdminApi(sessions, build_admin_tokens(settings), apps, new_request_id, is_draining)
