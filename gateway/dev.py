"""`gateway dev`: simulator, echo service and gateway in one process, and the lines to try them."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from shlex import quote
from urllib.parse import urlsplit

from gateway.app import Gateway
from gateway.clock import Clock
from gateway.settings import AppSettings, Settings
from gateway.settings.addresses import Listen, bracket
from gateway.simulator.app import build_simulator
from gateway.simulator.echo import build_echo
from gateway.simulator.server import start
from gateway.simulator.world import SimulatedApp


class UnfitError(Exception):
    """These settings cannot be run by `gateway dev`; the text says what they lack."""


@asynccontextmanager
async def run_dev(
    settings: Settings, clock: Clock, *, drops_keys: bool = False
) -> AsyncIterator[str]:
    """Start everything; yield the banner.

    Raises: UnfitError; OSError when an address is taken; GatewayError store_unavailable;
    SettingsError where the store needs a missing encryption key and `drops_keys` is not set.
    """
    simulator_url = _simulator_url(settings)
    echo_url = _echo_url(settings)
    simulator = await start(
        build_simulator(simulated_apps(settings), clock), *_address(simulator_url)
    )
    try:
        echo = await start(build_echo(), *_address(echo_url))
        try:
            async with Gateway(settings, clock, drops_keys=drops_keys):
                yield banner(settings, simulator_url)
        finally:
            await echo.close()
    finally:
        await simulator.close()


def _simulator_url(settings: Settings) -> str:
    """The simulator stands where the apps' `api_base` points."""
    bases = {app.api_base for app in settings.apps.values()}
    base = bases.pop() if len(bases) == 1 else None
    if base is None or not base.startswith("http://"):
        raise UnfitError(
            "`gateway dev` runs the simulator where the apps' `api_base` points:"
            " give all apps the same one, such as http://127.0.0.1:8090"
        )
    return base


def _echo_url(settings: Settings) -> str:
    upstream = settings.upstreams.get("echo")
    if upstream is None or upstream.targets[0].scheme != "http":
        raise UnfitError(
            "`gateway dev` runs the echo service where the upstream `echo` points:"
            " define it with a target such as http://127.0.0.1:8091"
        )
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
    lines = [
        "",
        f"  gateway    {_url(settings.server.listen)}",
        f"  admin      {_url(settings.admin.listen)}/readyz",
        f"  simulator  {simulator_url}",
        f"  echo       {_echo_url(settings)}",
        "",
    ]
    login_url, call_url = _login_url(settings), _call_url(settings)
    if login_url is not None and call_url is not None:
        lines.append(
            "Paste into another terminal. Each block logs in and calls the service behind:"
        )
        for name, app in _one_per_platform(settings):
            lines += ["", *_lines(name, app, simulator_url, login_url, call_url)]
    return "\n".join([*lines, "", "Ctrl-C ends it.", ""])


def _url(listen: Listen) -> str:
    """Where a listener is reached from this machine; `0.0.0.0` is no address to call."""
    if listen.path is not None:
        return str(listen)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host or "", listen.host or "")  # noqa: S104 - compared, not bound
    return f"http://{bracket(host)}:{listen.port}"


def _login_url(settings: Settings) -> str | None:
    """The path of login without placeholders; None where curl's lines would not fit."""
    paths = [path for path in settings.endpoints.login or () if "{" not in path]
    if not paths or settings.endpoints.hosts or settings.server.listen.path is not None:
        return None
    return _url(settings.server.listen) + paths[0]


def _call_url(settings: Settings) -> str | None:
    """A path below the first route to the echo service that a fresh session may take."""
    for route in settings.routes:
        is_open = route.host is None and route.methods is None and route.apps is None
        is_prefix = route.path.endswith("/") and route.platforms is None
        if route.upstream == "echo" and route.session != "none" and is_open and is_prefix:
            return f"{_url(settings.server.listen)}{route.path}orders/1"
    return None


def _one_per_platform(settings: Settings) -> Iterable[tuple[str, AppSettings]]:
    seen: set[str] = set()
    for name, app in settings.apps.items():
        if app.platform not in seen:
            seen.add(app.platform)
            yield name, app


def _lines(
    name: str, app: AppSettings, simulator_url: str, login_url: str, call_url: str
) -> Iterable[str]:
    wanted = f'{{"platform":"{app.platform}","app_id":"{app.app_identifier}","user":"alice"}}'
    pick = 'sed \'s/.*"{0}": *"\\([^"]*\\)".*/\\1/\''
    yield f"# {app.platform}"
    yield f"CODE=$(curl -s {quote(simulator_url)}/_sim/codes -d '{wanted}' | {pick.format('code')})"
    yield (
        f'TOKEN=$(curl -s {quote(login_url)} -d app={name} --data-urlencode code="$CODE"'
        f" | {pick.format('token')})"
    )
    yield f'curl -s {quote(call_url)} -H "Authorization: Bearer $TOKEN"'
