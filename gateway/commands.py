"""What the commands share: the settings file they read, and how they end. Knows no command.

Exit codes: 0 done, 1 refused, 2 wrong usage (click's own).
"""

import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import NoReturn, TypeVar

import click

from gateway.errors import GatewayError, SettingsError
from gateway.loader import Loaded, load
from gateway.loader.compiled import missing_parts
from gateway.supervisor.process import WorkerFailedError
from gateway.supervisor.telling import tell

T = TypeVar("T")
DEFAULT_CONFIG = Path("gateway.yaml")
CONFIG = click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=DEFAULT_CONFIG,
    show_default=True,
    help="The settings file.",
)


def load_or_end(config: Path) -> Loaded:
    """Load the settings, or say all that is wrong with them and end with 1.

    Without its compiled parts the gateway does not run either.
    """
    if missing := "\n".join(missing_parts()):
        raise click.ClickException(missing)
    try:
        loaded = load(config, os.environ)
    except SettingsError as error:
        _refuse(error, config)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    return loaded


def run_or_end(
    work: Coroutine[object, object, T], addresses: str = "", config: Path = DEFAULT_CONFIG
) -> T:
    """Run on uvloop; an address that is taken or a store that is away ends with 1.

    `addresses` are told with an error of the system that names no file.
    """
    import uvloop  # only here: where it is missing, `load_or_end` says so

    try:
        return uvloop.run(work)
    except SettingsError as error:
        _refuse(error, config)
    except (OSError, GatewayError) as error:
        raise click.ClickException(tell(error, addresses)) from error
    except WorkerFailedError as error:
        raise click.ClickException(str(error)) from error


def _refuse(error: SettingsError, config: Path) -> NoReturn:
    for problem in error.problems:
        click.echo(str(problem), err=True)
    count = len(error.problems)
    click.echo(f"{config}: refused: {count} problem{'s' * (count != 1)}", err=True)
    sys.exit(1)
