"""A whole gateway in one process: both sides over the same sessions, in order. No logic.

`Gateway` is what `dev` and the tests run. `serve` runs the sides in processes of their own:
`gateway.supervisor.parent` the admin side, each `gateway.worker` a public side.
"""

from contextlib import closing

from gateway import __version__
from gateway.access_log import AccessLog
from gateway.admin.listener import AdminListener
from gateway.admin_side import open_admin_side
from gateway.build import build_counted_store, build_keyring, build_sessions
from gateway.clock import Clock
from gateway.listener import Listener
from gateway.metrics.counts import Counts
from gateway.metrics.ledger import Ledger
from gateway.metrics.source import own_source
from gateway.public_side import open_public_side
from gateway.sessions.opening import open_sessions
from gateway.sessions.sealing import check_sealing_keys
from gateway.settings import Settings
from gateway.sockets import open_sockets
from gateway.stacked import Stacked


class Gateway(Stacked):
    """One gateway process: `async with Gateway(settings, clock):` serves until the block ends.

    `drops_keys`: records whose encryption key is missing are given up, else they refuse the start.
    Raises on entering: OSError (an address or a file cannot be had), GatewayError
    store_unavailable (the session store cannot be opened), SettingsError (a missing key is needed).
    """

    listener: Listener
    admin: AdminListener
    access_log: AccessLog | None

    def __init__(self, settings: Settings, clock: Clock, *, drops_keys: bool = False) -> None:
        super().__init__()
        self._settings = settings
        self._clock = clock
        self._drops_keys = drops_keys

    async def _open(self) -> None:
        """Open the parts; they are closed in the opposite order."""
        settings, stack = self._settings, self._stack
        counts = Counts()
        metrics = own_source(counts, Ledger(__version__))
        store = build_counted_store(settings, self._clock, counts)
        sessions = await stack.enter_async_context(
            open_sessions(build_sessions(settings, self._clock, store))
        )
        key_ids = build_keyring(settings).key_ids
        await check_sealing_keys(store, key_ids, drop=self._drops_keys)
        public = await stack.enter_async_context(
            open_public_side(settings, self._clock, sessions, store, counts)
        )
        self.admin = await stack.enter_async_context(
            open_admin_side(settings, sessions, lambda: public.is_draining, metrics)
        )
        sockets = await open_sockets(settings.server.listen)
        stack.callback(sockets.remove_file)
        self.listener, self.access_log = public.listener, public.access_log
        stack.push_async_callback(self.listener.close)
        with closing(sockets):  # the listener has copies; while ours live, nobody would be refused
            await self.listener.open(sockets.of(0))
