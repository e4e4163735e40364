"""Turns settings into the parts that work: routes, upstreams, apps, own endpoints, sessions.

It opens nothing; `app` does, in order.
"""

import secrets
import time
from collections.abc import Callable

from aiohttp import web
from aiohttp_session import session_middleware

from gateway.admin.api import AdminApi, Metrics
from gateway.admin.calls import SessionCalls
from gateway.admin.tokens import AdminToken, AdminTokens
from gateway.admission import AdmissionLimits
from gateway.clients import Trust
from gateway.clock import Clock
from gateway.endpoints.apps import Apps
from gateway.endpoints.call import Handler
from gateway.endpoints.session import Logout, Renew, Show, ShowSession
from gateway.endpoints.table import Endpoint, Endpoints
from gateway.endpoints.tickets import TICKETS_PER_MINUTE, MakeTicket
from gateway.errors import Answer
from gateway.limits import ProtocolLimits
from gateway.metrics.counts import Counts
from gateway.metrics.source import MetricsSource
from gateway.platforms.base import PlatformApp
from gateway.proxy.exchange import ProxyLimits
from gateway.request_ids import RequestIds
from gateway.routing import Route, Router
from gateway.sessions.counted import CountedStore
from gateway.sessions.keyring import KeyRing
from gateway.sessions.memory import CachePolicy
from gateway.sessions.minute_limit import MinuteLimit
from gateway.sessions.service import SessionPolicy, SessionService
from gateway.sessions.storage import TokenStorage
from gateway.sessions.store import SessionStore
from gateway.sessions.stores import open_store
from gateway.sessions.tickets import Tickets
from gateway.sessions.token import TokenSigner
from gateway.settings import RouteSettings, Settings
from gateway.survey import read_token, survey_request

ALIAS_METHODS = ("GET", "POST")


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
        ticket=route.ticket,
        body_bytes=route.limits.body,
        first_byte_s=route.timeouts.first_byte,
        idle_s=route.timeouts.idle,
        stream_idle_s=route.timeouts.stream_idle,
    )


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
    settings: Settings,
    login: Handler,
    sessions: SessionService,
    store: SessionStore,
    clock: Clock,
) -> Endpoints:
    """The paths the gateway answers itself; `login` takes logins."""
    show = ShowSession(clock, exposes_openid=settings.session.expose_openid)
    own = settings.endpoints
    table = [
        Endpoint("login", path, ALIAS_METHODS if "{" in path else ("POST",), login)
        for path in own.login or ()
    ]
    if own.logout is not None:
        table.append(Endpoint("logout", own.logout, ("POST",), Logout(sessions)))
    if own.session is not None:
        table.append(Endpoint("session", own.session, ("GET", "HEAD"), Show(show)))
        below = own.session.rstrip("/")
        renew = Renew(sessions, show)
        table.append(Endpoint("session_renew", f"{below}/renew", ("POST",), renew))
        limit = MinuteLimit(TICKETS_PER_MINUTE, "too many tickets are asked for", time.monotonic)
        target_bytes = settings.server.limits.target
        tickets = MakeTicket(build_tickets(sessions, store, clock), target_bytes, limit)
        table.append(Endpoint("session_ticket", f"{below}/ticket", ("POST",), tickets))

    def read(request: web.BaseRequest) -> str | None:
        found, _, bearer = survey_request(request.raw_headers)
        return read_token(found, bearer, cookie_name(settings))

    storage = TokenStorage(sessions, read)
    return Endpoints(table, own.hosts, session_middleware(storage))


def cookie_name(settings: Settings) -> str | None:
    """The name of our cookie, if pages may use one."""
    return None if settings.session.cookie is None else settings.session.cookie.name


# -- sessions, admin ------------------------------------------------------------------------------


def build_store(settings: Settings, clock: Clock) -> SessionStore:
    """The configured store, not yet open."""
    return open_store(settings.session.store.url, clock)


def build_counted_store(settings: Settings, clock: Clock, counts: Counts) -> SessionStore:
    """The configured store, not yet open; its calls are counted."""
    return CountedStore(build_store(settings, clock), counts)


def build_keyring(settings: Settings) -> KeyRing:
    """The encryption keys."""
    return KeyRing([key.get_secret_value() for key in settings.session.encryption_keys])


def build_sessions(
    settings: Settings, clock: Clock, store: SessionStore | None = None
) -> SessionService:
    """Sessions over the configured store, or over this one."""
    session = settings.session
    return SessionService(
        store or build_store(settings, clock),
        TokenSigner([key.get_secret_value() for key in session.signing_keys]),
        build_keyring(settings),
        clock,
        SessionPolicy(
            lifetime_s=session.lifetime,
            max_lifetime_s=session.max_lifetime,
            idle_timeout_s=session.idle_timeout,
            max_per_subject=session.max_per_subject,
        ),
        secrets.token_bytes,
        cache=CachePolicy(size=session.cache, grace_s=session.grace),
    )


def build_tickets(sessions: SessionService, store: SessionStore, clock: Clock) -> Tickets:
    """Tickets of these sessions, kept where they are."""
    return Tickets(store, sessions, clock, secrets.token_bytes)


def build_admin_tokens(settings: Settings) -> AdminTokens:
    """Who may use the admin API."""
    return AdminTokens(
        [
            AdminToken(each.name, each.token.get_secret_value(), frozenset(each.scopes))
            for each in settings.admin.tokens
        ]
    )


def build_admin_api(
    settings: Settings,
    sessions: SessionService,
    is_draining: Callable[[], bool],
    metrics: MetricsSource,
) -> AdminApi:
    """Health and metrics, and the admin API over these sessions."""
    return AdminApi(
        SessionCalls(sessions, Apps(build_apps(settings))),
        build_admin_tokens(settings),
        RequestIds(),
        is_draining,
        metrics=Metrics(metrics, is_open=settings.admin.metrics == "open"),
    )
