"""Starts and stops an aiohttp application on a port; for commands and tests alike."""

from dataclasses import dataclass

from aiohttp import web

SHUTDOWN_S = 0.5
"""Seconds left to answers under way; what stands behind is for development, so few."""


@dataclass(frozen=True, slots=True)
class Running:
    """An application that listens. `port` is the real one, also where 0 was asked for."""

    host: str
    port: int
    runner: web.AppRunner

    @property
    def url(self) -> str:
        """Where it is reached, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def close(self) -> None:
        """Stop listening and end what is under way."""
        await self.runner.cleanup()


async def start(app: web.Application, host: str, port: int) -> Running:
    """Serve an application. Raises: OSError if the address cannot be had."""
    # No access log: queries hold secrets and codes (platforms.md 12, trap 12).
    runner = web.AppRunner(
        app,
        access_log=None,
        handler_cancellation=True,
        auto_decompress=False,
        shutdown_timeout=SHUTDOWN_S,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except BaseException:
        await runner.cleanup()
        raise
    return Running(host, runner.addresses[0][1], runner)
