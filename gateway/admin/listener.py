"""Opens and closes the admin listener; aiohttp's own server is right here."""

from pathlib import Path

from aiohttp import web

SHUTDOWN_S = 1.0


class AdminListener:
    """The admin application on its own address."""

    def __init__(self, application: web.Application) -> None:
        # No access log: the audit log says who did what, and queries may hold openids.
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_S)

    async def open(self, host: str | None, port: int | None, unix_path: Path | None = None) -> None:
        """Listen on host and port, or on a unix socket. Raises: OSError."""
        await self._runner.setup()
        site: web.BaseSite
        if unix_path is not None:
            site = web.UnixSite(self._runner, unix_path)
        else:
            site = web.TCPSite(self._runner, host, port)
        await site.start()

    @property
    def port(self) -> int:
        """The real port, also where 0 was asked for."""
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()
