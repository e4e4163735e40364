"""What answers the public, opened and closed in order: all that a worker does. No logic.

It listens nowhere by itself: `listener` is given its sockets by who runs it, and closed by it.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from gateway.access import Access
from gateway.access_log import AccessLog, open_access_log
from gateway.build import (
    build_admission_limits,
    build_endpoints,
    build_protocol_limits,
    build_proxy_limits,
    build_router,
    build_tickets,
    build_trust,
    cookie_name,
)
from gateway.clock import Clock
from gateway.entry import Entry, EntryParts
from gateway.fastpath import FastPath
from gateway.listener import Listener
from gateway.login_side import open_login
from gateway.metrics.catalogue import ENDINGS_WAITING
from gateway.metrics.clients import read_clients
from gateway.metrics.counts import Counts
from gateway.metrics.upstreams import read_upstreams
from gateway.metrics.usage import read_usage
from gateway.platforms.api import open_api_caller
from gateway.platforms.registry import build_exchanges
from gateway.proxy.departures import Departures
from gateway.proxy.exchange import Proxy
from gateway.proxy.live import LiveSessions
from gateway.proxy.opening import open_upstreams
from gateway.request_ids import RequestIds
from gateway.server import GatewayServer
from gateway.sessions.service import SessionService
from gateway.sessions.store import SessionStore
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class PublicSide:
    """The open parts that others ask for."""

    listener: Listener
    entry: Entry
    access_log: AccessLog | None

    @property
    def is_draining(self) -> bool:
        return self.entry.is_draining


@asynccontextmanager
async def open_public_side(
    settings: Settings,
    clock: Clock,
    sessions: SessionService,
    store: SessionStore,
    counts: Counts,
) -> AsyncIterator[PublicSide]:
    """Open the parts over open sessions and their store; `counts` is theirs from now on.

    Raises: OSError (the access log's file).
    """
    async with AsyncExitStack() as stack:
        log = stack.enter_context(open_access_log(settings.logs.access, settings.logs.format))
        caller = await stack.enter_async_context(open_api_caller())
        exchanges = build_exchanges(caller, clock)
        login = await stack.enter_async_context(
            open_login(settings, clock, exchanges, sessions, store, counts)
        )
        upstreams = await stack.enter_async_context(open_upstreams(settings.upstreams))
        live = LiveSessions(clock, sessions.confirm)
        departures = _connect(live, sessions)
        stack.push_async_callback(departures.close)
        proxy = Proxy(upstreams, build_proxy_limits(settings), live, cookie_name(settings))
        stack.callback(proxy.close)
        parts = EntryParts(
            access=Access(
                build_router(settings),
                sessions,
                build_tickets(sessions, store, clock),
                cookie_name(settings),
            ),
            proxy=proxy,
            endpoints=build_endpoints(settings, login, sessions, store, clock),
            trust=build_trust(settings),
            limits=build_admission_limits(settings),
            clock=clock,
            new_request_id=RequestIds(),
            log=log,
            counts=counts,
            write_idle_s=settings.server.timeouts.write_idle,
        )
        entry, server = _serve(parts, settings)
        listener = Listener(server, entry, live, settings.server.timeouts.shutdown)
        counts.watch(read_usage)
        counts.watch(lambda: read_clients(server))
        counts.watch(lambda: [(ENDINGS_WAITING, (), sessions.unconfirmed_endings)])
        counts.watch(lambda: read_upstreams(upstreams.values()))
        yield PublicSide(listener, entry, log)


def _connect(live: LiveSessions, sessions: SessionService) -> Departures:
    """Have what lives of sessions told what becomes of them."""
    sessions.on_ended(live.end)
    sessions.on_renewed(live.renewed)
    sessions.on_found(live.found)
    sessions.watch(live.keys)
    departures = Departures(live, lambda: sessions.is_out_of_grace)
    sessions.on_out_of_grace(departures.begin)
    return departures


def _serve(parts: EntryParts, settings: Settings) -> tuple[Entry, GatewayServer]:
    entry = Entry(parts)
    server = GatewayServer(
        entry.handle,
        entry.refuse_unparsed,
        build_protocol_limits(settings),
        parts.trust.is_trusted,
        FastPath(entry, parts),
    )
    return entry, server
