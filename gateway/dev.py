"""`gateway dev`: simulator, echo service and gateway in one process, and the lines to try them."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from gateway.app import Gateway
from gateway.clock import Clock
from gateway.settings import AppSettings, Settings
from gateway.simulator.app import build_simulator
from gateway.simulator.echo import build_echo
from gateway.simulator.server import start
from gateway.simulator.world import SimulatedApp


@asynccontextmanager
async def run_dev(settings: Settings, clock: Clock) -> AsyncIterator[str]:
    """Start everything; yield the banner. Raises: OSError when an address is taken."""
    simulator_url = _simulator_url(settings)
    simulator = await start(
        build_simulator(simulated_apps(settings), clock), *_address(simulator_url)
    )
    try:
        echo = await start(build_echo(), *_address(_echo_url(settings)))
        try:
            async with Gateway(settings, clock):
                yield banner(settings, simulator_url)
        finally:
            await echo.close()
    finally:
        await simulator.close()


def _simulator_url(settings: Settings) -> str:
    """The simulator stands where the apps' `api_base` points."""
    bases = {app.api_base for app in settings.apps.values() if app.api_base}
    if len(bases) != 1 or not next(iter(bases)).startswith("http://"):
        raise OSError("`gateway dev` needs apps that share one http api_base for the simulator")
    return bases.pop()


def _echo_url(settings: Settings) -> str:
    upstream = settings.upstreams.get("echo")
    if upstream is None or upstream.targets[0].scheme != "http":
        raise OSError("`gateway dev` needs an upstream named echo with an http target")
    return str(upstream.targets[0])


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 80


def simulated_apps(settings: Settings) -> list[SimulatedApp]:
    """The configured apps as the simulator knows them."""
    return [
        SimulatedApp(
            platform=app.platform,
            app_id=app.app_identifier,
            secret=app.secret.get_secret_value(),
            kind=app.kind,
            is_bound=True,
        )
        for app in settings.apps.values()
    ]


def banner(settings: Settings, simulator_url: str) -> str:
    """Write what runs where, and lines to paste: a login on each platform and a proxied call."""
    gateway_url = f"http://{settings.server.listen}"
    path = next((route.path for route in settings.routes if route.upstream == "echo"), "/")
    lines = [
        "",
        f"  gateway    {gateway_url}",
        f"  admin      http://{settings.admin.listen}/readyz",
        f"  simulator  {simulator_url}",
        f"  echo       {_echo_url(settings)}",
        "",
        "Paste into another terminal. Each block logs in and calls the service behind:",
    ]
    for name, app in _one_per_platform(settings):
        lines += ["", *_lines(name, app, simulator_url, gateway_url, path)]
    lines += ["", "Ctrl-C ends it.", ""]
    return "\n".join(lines)


def _one_per_platform(settings: Settings) -> Iterable[tuple[str, AppSettings]]:
    seen: set[str] = set()
    for name, app in settings.apps.items():
        if app.platform not in seen:
            seen.add(app.platform)
            yield name, app


def _lines(
    name: str, app: AppSettings, simulator_url: str, gateway_url: str, path: str
) -> Iterable[str]:
    wanted = f'{{"platform":"{app.platform}","app_id":"{app.app_identifier}","user":"alice"}}'
    pick = 'sed \'s/.*"{0}": *"\\([^"]*\\)".*/\\1/\''
    yield f"# {app.platform}"
    yield f"CODE=$(curl -s {simulator_url}/_sim/codes -d '{wanted}' | {pick.format('code')})"
    yield (
        f'TOKEN=$(curl -s {gateway_url}/login -d app={name} --data-urlencode code="$CODE"'
        f" | {pick.format('token')})"
    )
    yield f'curl -s {gateway_url}{path}orders/1 -H "Authorization: Bearer $TOKEN"'
