"""Turns upstream settings into working upstreams, opens what they need and closes it in order."""

import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.proxy.balance import LeastRequests, RoundRobin
from gateway.proxy.dial import Dialer, TargetAddress
from gateway.proxy.health import Checked, HealthChecks, HealthPolicy
from gateway.proxy.pool import Pool, PoolLimits
from gateway.proxy.resolve import Resolver
from gateway.proxy.upstream import Upstream, UpstreamTimeouts
from gateway.settings import UpstreamSettings
from gateway.settings.upstreams import UpstreamTls


@asynccontextmanager
async def open_upstreams(
    settings: Mapping[str, UpstreamSettings], resolver: Resolver | None = None
) -> AsyncIterator[Mapping[str, Upstream]]:
    """Yield the upstreams by name, their targets checked where the settings ask for it.

    Raises: OSError, ssl.SSLError for unusable TLS files.
    """
    resolver = resolver or Resolver()
    dialer = Dialer(resolver)
    async with AsyncExitStack() as stack:
        stack.callback(resolver.close)
        upstreams = build_upstreams(settings, dialer)
        for upstream in upstreams.values():
            stack.callback(upstream.close)
        await stack.enter_async_context(build_health_checks(settings, upstreams, dialer))
        yield upstreams


def build_upstreams(
    settings: Mapping[str, UpstreamSettings], dialer: Dialer
) -> dict[str, Upstream]:
    """Build the services behind, by name. Raises: OSError, ssl.SSLError: unusable TLS files."""
    return {name: _build_upstream(name, each, dialer) for name, each in settings.items()}


def _build_upstream(name: str, settings: UpstreamSettings, dialer: Dialer) -> Upstream:
    timeouts = settings.timeouts
    limits = PoolLimits(settings.connections, timeouts.connect, timeouts.keepalive)
    return Upstream(
        name,
        [Pool(address, limits, dialer) for address in _addresses(settings)],
        UpstreamTimeouts(timeouts.first_byte, timeouts.idle, timeouts.stream_idle),
        retries=settings.retries,
        sends_client_host=settings.host_header == "client",
        balance=LeastRequests() if settings.balance == "least_requests" else RoundRobin(),
    )


def build_health_checks(
    settings: Mapping[str, UpstreamSettings], upstreams: Mapping[str, Upstream], dialer: Dialer
) -> HealthChecks:
    """Build the checks of those upstreams that ask for them; a check ends before its next."""
    checked = []
    for name, each in settings.items():
        check, timeouts = each.health_check, each.timeouts
        if check is not None:
            timeout_s = min(check.interval, timeouts.connect + timeouts.first_byte)
            policy = HealthPolicy(check.path, check.interval, timeout_s)
            checked.append(Checked(upstreams[name], policy))
    return HealthChecks(checked, dialer)


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
    """Build verified TLS to a service, with our certificate where it asks for one."""
    context = ssl.create_default_context(cafile=tls.ca if tls is not None else None)
    if tls is not None and tls.cert is not None:
        context.load_cert_chain(tls.cert, tls.key)
    return context
