"""The map: one gateway's parts, opened and closed in order. No logic.

`Gateway` is what `serve`, `dev` and the tests run.
"""

import logging
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from gateway.access import Access
from gateway.admin.listener import AdminListener
from gateway.build import (
    build_admin_api,
    build_admission_limits,
    build_endpoints,
    build_protocol_limits,
    build_proxy_limits,
    build_router,
    build_sessions,
    build_trust,
    build_upstreams,
    cookie_name,
    new_request_id,
)
from gateway.clock import Clock
from gateway.entry import Entry, EntryParts
from gateway.errors import GatewayError
from gateway.listener import Listener
from gateway.observe import open_access_log
from gateway.platforms.api import open_api_caller
from gateway.platforms.registry import build_exchanges
from gateway.protocol import GatewayServer
from gateway.proxy.exchange import Proxy
from gateway.sessions.service import SessionService
from gateway.settings import Settings

logger = logging.getLogger(__name__)


class Gateway:
    """One gateway process: `async with Gateway(settings, clock):` serves until the block ends.

    Raises on entering: OSError (an address or a file cannot be had), GatewayError
    store_unavailable (the session store cannot be opened).
    """

    listener: Listener
    admin: AdminListener

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _open(self) -> None:
        """Open the parts; they are closed in the opposite order."""
        settings, stack = self._settings, self._stack
        log, close_log = open_access_log(settings.logs.access, settings.logs.format)
        stack.callback(close_log)
        caller = await stack.enter_async_context(open_api_caller())
        exchanges = build_exchanges(caller, self._clock)
        sessions = build_sessions(settings, self._clock)
        stack.push_async_callback(sessions.close)
        await sessions.open()
        await _warn_if_away(sessions)
        proxy = Proxy(
            build_upstreams(settings), build_proxy_limits(settings), cookie_name(settings)
        )
        stack.callback(proxy.close)
        trust = build_trust(settings)
        entry = Entry(
            EntryParts(
                access=Access(build_router(settings), sessions, cookie_name(settings)),
                proxy=proxy,
                endpoints=build_endpoints(settings, exchanges, sessions, self._clock),
                trust=trust,
                limits=build_admission_limits(settings),
                clock=self._clock,
                new_request_id=new_request_id,
                log=log,
                write_idle_s=settings.server.timeouts.write_idle,
            )
        )
        self.admin = AdminListener(build_admin_api(settings, sessions, lambda: entry.is_draining))
        stack.push_async_callback(self.admin.close)
        address = settings.admin.listen
        await self.admin.open(address.host, address.port, address.path)
        server = GatewayServer(
            entry.handle, entry.refuse_unparsed, build_protocol_limits(settings), trust.is_trusted
        )
        self.listener = Listener(server, entry, settings.server.timeouts.shutdown)
        stack.push_async_callback(self.listener.close)
        await self._listen()

    async def _listen(self) -> None:
        address = self._settings.server.listen
        if address.path is not None:
            await self.listener.open_unix(address.path)
        else:
            await self.listener.open_tcp(address.host or "", address.port or 0)


async def _warn_if_away(sessions: SessionService) -> None:
    """Serve also without the store: it may come up later, and public routes do without it."""
    try:
        await sessions.check_ready()
    except GatewayError as error:
        logger.warning("the session store is away, logins get 503 until it is back: %s", error)
