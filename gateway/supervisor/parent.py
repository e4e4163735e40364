"""The parent process's parts, opened and closed in order: sessions, admin side, sockets, workers.

It serves operators, never the public. Each worker it ever starts gets the same settings, whatever
the file says meanwhile.
"""

import pickle
from dataclasses import replace

from gateway import __version__
from gateway.admin.listener import AdminListener
from gateway.admin_side import open_admin_side
from gateway.build import build_counted_store, build_keyring, build_sessions
from gateway.clock import Clock
from gateway.metrics.catalogue import ENDINGS_WAITING
from gateway.metrics.counts import Counts
from gateway.metrics.ledger import Ledger
from gateway.metrics.source import MetricsSource
from gateway.server import END_S
from gateway.sessions.opening import open_sessions
from gateway.sessions.sealing import check_sealing_keys
from gateway.settings import Settings
from gateway.sockets import open_sockets
from gateway.stacked import Stacked
from gateway.supervisor.process import Job, worker_command
from gateway.supervisor.quota import read_usable_cores
from gateway.supervisor.slot import Names, Slot
from gateway.supervisor.workers import Workers

KILL_AFTER_S = END_S + 5.0
"""What a worker gets beyond `shutdown` to cut what is left and to close its store."""


class Parent(Stacked):
    """A gateway of several processes: `async with Parent(settings, clock):` serves until it ends.

    `drops_keys`: records whose encryption key is missing are given up, else they refuse the start.
    Raises on entering: OSError (an address cannot be had), GatewayError store_unavailable,
    SettingsError (a missing key is needed), WorkerFailedError (a worker does not start).
    """

    admin: AdminListener

    def __init__(self, settings: Settings, clock: Clock, *, drops_keys: bool = False) -> None:
        super().__init__()
        self._settings = settings
        self._clock = clock
        self._drops_keys = drops_keys
        self._workers: Workers | None = None
        self._counts = Counts()
        self._ledger = Ledger(__version__, self._counts)
        self.address = settings.server.listen
        """Where the public listener stands; inside the block with its real port."""

    async def replace_workers(self) -> None:
        """Replace the workers one by one, with the settings as they were; no request is lost."""
        if self._workers is not None:
            await self._workers.replace()

    async def _open(self) -> None:
        """Open the parts; they are closed in the opposite order."""
        settings, stack = self._settings, self._stack
        store = build_counted_store(settings, self._clock, self._counts)
        sessions = await stack.enter_async_context(
            open_sessions(build_sessions(settings, self._clock, store))
        )
        self._counts.watch(lambda: [(ENDINGS_WAITING, (), sessions.unconfirmed_endings)])
        key_ids = build_keyring(settings).key_ids
        await check_sealing_keys(store, key_ids, drop=self._drops_keys)
        self.admin = await stack.enter_async_context(
            open_admin_side(settings, sessions, self._is_unready, self._metrics())
        )
        self._workers = await self._open_workers()
        self._stack.push_async_callback(self._workers.close)
        await self._workers.open()

    async def _open_workers(self) -> Workers:
        """Listen, and prepare a place for each worker; none is started yet."""
        server = self._settings.server
        count = read_usable_cores() if server.workers == "auto" else server.workers
        sockets = await open_sockets(server.listen, count)
        if self.address.path is None:
            self.address = replace(self.address, port=sockets.port)
        pickled, command, names = pickle.dumps(self._settings), worker_command(), Names()
        end_s = server.timeouts.shutdown + KILL_AFTER_S
        jobs = [Job(pickled, sockets.of(number), command) for number in range(count)]
        return Workers(sockets, [Slot(job, names, self._ledger, end_s) for job in jobs])

    def _is_unready(self) -> bool:
        return self._workers is None or not self._workers.are_ready

    def _metrics(self) -> MetricsSource:
        async def read(accept: str) -> tuple[bytes, str]:
            if self._workers is not None:
                await self._workers.refresh()
            return self._ledger.render(accept)

        return read
