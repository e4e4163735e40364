"""The commands. Exit codes: 0 done, 1 refused, 2 wrong usage (click's own)."""

import asyncio
import base64
import os
import re
import secrets
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import click
import uvloop

from gateway import __version__
from gateway.errors import GatewayError, SettingsError
from gateway.loader import Loaded, load
from gateway.settings import Listen
from gateway.settings.addresses import MAX_PORT
from gateway.supervisor.process import WorkerFailedError
from gateway.supervisor.telling import addresses_of, tell

T = TypeVar("T")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A header's name (RFC 9110 5.6.2)."""
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""What a header's value may not hold (RFC 9110 5.5); the parser refuses such a request."""

CONFIG = click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("gateway.yaml"),
    show_default=True,
    help="The settings file.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """An auth gateway for mini-programs (小程序)."""


@main.command()
@CONFIG
def serve(config: Path) -> None:
    """Run the gateway: a parent process and its workers.

    SIGTERM or Ctrl-C finishes what is under way and ends it, a second one ends it at once. SIGHUP
    replaces the workers one by one, with the settings as they were.
    """
    from gateway.clock import now
    from gateway.observe import set_up_logging
    from gateway.supervisor.hangup import on_hangup
    from gateway.supervisor.parent import Parent

    loaded = _load(config)
    settings = loaded.settings
    set_up_logging(settings.logs.level, settings.logs.format)

    async def run() -> None:
        stop = _stop_at_signal()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there are workers to replace
        async with Parent(settings, now) as parent, on_hangup(parent.replace_workers):
            click.echo(f"gateway {__version__} listens on {parent.address}", err=True)
            await stop.wait()
            click.echo("draining", err=True)

    _run(run(), addresses_of(settings))


@main.command()
@CONFIG
def dev(config: Path) -> None:
    """Run simulator, echo service and gateway together, for development."""
    from gateway.clock import now
    from gateway.dev import UnfitError, run_dev
    from gateway.observe import set_up_logging

    loaded = _load(config)
    settings = loaded.settings
    if settings.environment != "development":
        raise click.ClickException("`gateway dev` needs settings with `environment: development`")
    set_up_logging(settings.logs.level, settings.logs.format)

    async def run() -> None:
        async with run_dev(settings, now) as banner:
            click.echo(banner)
            await _until_signal()

    try:
        _run(run(), addresses_of(settings))
    except UnfitError as error:
        raise click.ClickException(str(error)) from error


@main.command()
@CONFIG
def check(config: Path) -> None:
    """Check the settings as start-up would; list every problem."""
    loaded = _load(config)
    settings = loaded.settings
    click.echo(
        f"{config}: good: {len(settings.apps)} apps, {len(settings.upstreams)} upstreams,"
        f" {len(settings.routes)} routes"
    )


@main.command()
@CONFIG
@click.argument("method")
@click.argument("url")
@click.option("-H", "--header", "headers", multiple=True, help="`Name: value`; may be repeated.")
@click.option("--peer", default="127.0.0.1", show_default=True, help="The client's address.")
def explain(config: Path, method: str, url: str, headers: tuple[str, ...], peer: str) -> None:
    """Say which route a request takes, whether it may, and what the service would get."""
    from gateway.admission import RawRequest
    from gateway.clock import now
    from gateway.explain import describe
    from gateway.explain import explain as explain_request
    from gateway.explaining import open_explain_parts

    loaded = _load(config)
    raw = RawRequest(
        method=method.upper(),
        target=_target_of(url),
        version=(1, 1),
        fields=_fields(url, headers, loaded.settings.server.listen),
        peer=peer,
    )

    async def run() -> int:
        async with open_explain_parts(loaded.settings, now) as parts:
            explanation = await explain_request(raw, "(made for each request)", parts)
        click.echo(describe(explanation))
        return 1 if explanation.refusal is not None else 0

    sys.exit(_run(run()))


@main.command()
@CONFIG
@click.option("--listen", default="127.0.0.1:8090", show_default=True, help="host:port")
@click.option("--any-app", is_flag=True, help="Take any app id with any secret; needs no settings.")
def simulate(config: Path, listen: str, any_app: bool) -> None:
    """Run the platforms' simulator alone."""
    from gateway.clock import now
    from gateway.dev import simulated_apps
    from gateway.simulator.app import build_simulator
    from gateway.simulator.server import start

    host, _, port = listen.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > MAX_PORT:
        raise click.UsageError("--listen is host:port")
    apps = None if any_app else simulated_apps(_load(config).settings)

    async def run() -> None:
        running = await start(build_simulator(apps, now), host.strip("[]"), int(port))
        click.echo(f"simulator listens on {running.url}", err=True)
        await _until_signal()
        await running.close()

    _run(run())


@main.command()
def keygen() -> None:
    """Make a signing key and an encryption key; put them first in their lists."""
    encryption_key = base64.b64encode(secrets.token_bytes(32)).decode()
    click.echo(f"signing_key: {secrets.token_urlsafe(48)}")
    click.echo(f"encryption_key: {encryption_key}")


# -- shared by the commands -------------------------------------------------------------------


def _load(config: Path) -> Loaded:
    """Load the settings, or say all that is wrong with them and end with 1."""
    try:
        loaded = load(config, os.environ)
    except SettingsError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        count = len(error.problems)
        click.echo(f"{config}: refused: {count} problem{'s' * (count != 1)}", err=True)
        sys.exit(1)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    return loaded


def _run(work: Coroutine[object, object, T], addresses: str = "") -> T:
    """Run on uvloop; an address that is taken or a store that is away ends with 1.

    `addresses` are told with an error of the system that names no file.
    """
    try:
        return uvloop.run(work)
    except (OSError, GatewayError) as error:
        raise click.ClickException(tell(error, addresses)) from error
    except WorkerFailedError as error:
        raise click.ClickException(str(error)) from error


async def _until_signal() -> None:
    """Wait for SIGINT or SIGTERM; a second one ends the process at once."""
    await _stop_at_signal().wait()


def _stop_at_signal() -> asyncio.Event:
    """Set this at SIGINT or SIGTERM; a second one ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    return stop


def _target_of(url: str) -> str:
    """Cut the request target out of a URL, as raw as it was typed."""
    _, mark, rest = url.partition("://")
    if not mark or url.startswith("/"):
        return url
    path = re.search("[/?#].*", rest, re.DOTALL)
    if path is None:
        return "/"
    return path[0] if path[0].startswith("/") else f"/{path[0]}"


def _fields(url: str, headers: tuple[str, ...], listen: Listen) -> tuple[tuple[bytes, bytes], ...]:
    given = [_field(header) for header in headers]
    if not any(name.lower() == b"host" for name, _ in given):
        given.insert(0, (b"Host", _host_of(url, listen)))
    return tuple(given)


def _field(header: str) -> tuple[bytes, bytes]:
    """Read `Name: value` as it would stand on the wire."""
    name, mark, value = os.fsencode(header).partition(b":")
    value = value.strip(b" \t")
    if not mark or not _TOKEN.fullmatch(name) or _CONTROL.search(value):
        raise click.UsageError("--header is `Name: value`, without control characters")
    return name, value


def _host_of(url: str, listen: Listen) -> bytes:
    """Take the host from the URL, else where we listen."""
    try:
        authority = "" if url.startswith("/") else urlsplit(url).netloc.rpartition("@")[2]
    except ValueError as error:
        raise click.UsageError("the URL's host cannot be read") from error
    ours = str(listen) if listen.port else "localhost"  # neither a path nor port 0 is a host
    return os.fsencode(authority or ours)
