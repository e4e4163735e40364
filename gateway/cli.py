"""The commands. Exit codes: 0 done, 1 refused, 2 wrong usage (click's own)."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click

from gateway import __version__
from gateway.commands import CONFIG, load_or_end, run_or_end
from gateway.errors import GatewayError
from gateway.keygen import KINDS, Kind, new_key, snippet
from gateway.session_commands import sessions
from gateway.settings import Listen, Settings
from gateway.settings.addresses import MAX_PORT
from gateway.supervisor.telling import addresses_of

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A header's name (RFC 9110 5.6.2)."""
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""What a header's value may not hold (RFC 9110 5.5); the parser refuses such a request."""

DROP_KEYS = click.option(
    "--drop-encryption-keys",
    "drops_keys",
    is_flag=True,
    help="Start although sealed records need a key that is missing; they are lost.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """An auth gateway for mini-programs (小程序)."""


@main.command()
@CONFIG
@DROP_KEYS
def serve(config: Path, *, drops_keys: bool) -> None:
    """Run the gateway: a parent process and its workers.

    SIGTERM or Ctrl-C finishes what is under way and ends it, a second one ends it at once. SIGHUP
    replaces the workers one by one, with the settings as they were.
    """
    loaded = load_or_end(config)  # before all that needs the compiled parts is loaded

    from gateway.clock import now
    from gateway.observe import set_up_logging
    from gateway.supervisor.hangup import on_hangup
    from gateway.supervisor.parent import Parent

    settings = loaded.settings
    set_up_logging(settings.logs.level, settings.logs.format)

    async def run() -> None:
        stop = _stop_at_signal()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there are workers to replace
        parent = Parent(settings, now, drops_keys=drops_keys)
        async with parent, on_hangup(parent.replace_workers):
            click.echo(f"gateway {__version__} listens on {parent.address}", err=True)
            await stop.wait()
            click.echo("draining", err=True)

    run_or_end(run(), addresses_of(settings), config)


@main.command()
@CONFIG
@DROP_KEYS
def dev(config: Path, *, drops_keys: bool) -> None:
    """Run simulator, echo service and gateway together, for development."""
    loaded = load_or_end(config)

    from gateway.clock import now
    from gateway.dev import UnfitError, run_dev
    from gateway.observe import set_up_logging

    settings = loaded.settings
    if settings.environment != "development":
        raise click.ClickException("`gateway dev` needs settings with `environment: development`")
    set_up_logging(settings.logs.level, settings.logs.format)

    async def run() -> None:
        async with run_dev(settings, now, drops_keys=drops_keys) as banner:
            click.echo(banner)
            await _until_signal()

    try:
        run_or_end(run(), addresses_of(settings), config)
    except UnfitError as error:
        raise click.ClickException(str(error)) from error


@main.command()
@CONFIG
def check(config: Path) -> None:
    """Check the settings as start-up would; list every problem.

    Also that the session store needs no encryption key that is missing. No address, platform or
    upstream is tried, and no store is made.
    """
    settings = load_or_end(config).settings
    checked = run_or_end(_check_store(settings), config=config)
    click.echo(
        f"{config}: good: {len(settings.apps)} apps, {len(settings.upstreams)} upstreams,"
        f" {len(settings.routes)} routes"
    )
    click.echo(f"{checked}; not tried: addresses, platforms, upstreams")


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

    loaded = load_or_end(config)
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

    sys.exit(run_or_end(run()))


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
    apps = None if any_app else simulated_apps(load_or_end(config).settings)

    async def run() -> None:
        running = await start(build_simulator(apps, now), host.strip("[]"), int(port))
        click.echo(f"simulator listens on {running.url}", err=True)
        await _until_signal()
        await running.close()

    run_or_end(run())


@main.command()
@click.argument("kind", required=False, type=click.Choice(KINDS))
def keygen(kind: Kind | None) -> None:
    """Make new keys: both as lines of settings, or the bare key of one kind."""
    click.echo(snippet() if kind is None else new_key(kind))


main.add_command(sessions)


async def _check_store(settings: Settings) -> str:
    """Say whether sealed records were checked. Raises: SettingsError, a needed key is missing."""
    from gateway.build import build_keyring, build_store
    from gateway.clock import now
    from gateway.sessions.sealing import require_sealing_keys

    store = build_store(settings, now)
    try:
        if not await store.open_as_is():
            return "encryption keys: there is no session store yet"
        await require_sealing_keys(store, build_keyring(settings).key_ids)
    except GatewayError as error:
        return f"encryption keys: not checked against the session store: {error}"
    finally:
        await store.close()
    return "encryption keys: the session store needs no other"


# -- shared by the commands -------------------------------------------------------------------


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
