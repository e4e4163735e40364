"""`gateway sessions`: what operators do with sessions and subjects, on the store itself.

It needs the settings file and its store, no running gateway and no admin token: who can read both
may do all of it. What a subject or a block is, the admin API's code decides.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TypedDict, TypeVar, Unpack

import click

from gateway.commands import CONFIG, load_or_end, run_or_end
from gateway.errors import GatewayError
from gateway.sessions.model import Session, Subject
from gateway.sessions.service import SessionService
from gateway.sessions.store import REVOKED
from gateway.settings import Settings

_LISTED = 100
F = TypeVar("F", bound=Callable[..., object])
_Act = Callable[[SessionService, Subject], Awaitable[int]]
"""Does something to a subject; the number is what is told of it."""


class _Named(TypedDict):
    """What click makes of a subject's arguments."""

    platform: str
    app: str
    openid: str
    is_app_id: bool


@dataclass(frozen=True, slots=True)
class _Whom:
    """The subject that a command line names."""

    platform: str
    app: str
    openid: str
    is_app_id: bool

    @property
    def fields(self) -> dict[str, object]:
        """The same, as the admin API takes it."""
        app = "app_id" if self.is_app_id else "app"
        return {"platform": self.platform, app: self.app, "openid": self.openid}


class _Words(click.Command):
    """Takes any word for an argument that is not exactly one of its options.

    Ids and openids may begin with `-`, which click would read as options.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the options first, and `--` between them and the arguments."""
        takes_value = {
            name: not each.is_flag
            for each in self.get_params(ctx)
            if isinstance(each, click.Option)
            for name in each.opts
        }
        options, words, left = list[str](), list[str](), iter(args)
        for word in left:
            if word == "--":
                words += left
            elif word.partition("=")[0] not in takes_value:
                words.append(word)
            else:
                options.append(word)
                options += islice(left, "=" not in word and takes_value[word])
        return super().parse_args(ctx, [*options, "--", *words])


_APP_ID = click.option(
    "--app-id", "is_app_id", is_flag=True, help="APP is the platform's app id: ask no settings."
)


def _of_subject(command: F) -> F:
    """Let a command name a subject."""
    arguments = [click.argument(name) for name in ("openid", "app", "platform")]
    for add in (_APP_ID, *arguments):
        command = add(command)
    return command


@click.group()
def sessions() -> None:
    """List, revoke and block, on the session store of the settings.

    APP is an app's name in the settings or the platform's app id, OPENID a user's or a guest's.
    """


@sessions.command("list")
@CONFIG
@click.option("--platform")
@click.option("--app", help="The app's name when they logged in, or its platform's id.")
@click.option("--openid", help="A user's, not a guest's.")
@click.option("--limit", type=click.IntRange(1), default=_LISTED, show_default=True)
def list_sessions(
    config: Path, platform: str | None, app: str | None, openid: str | None, limit: int
) -> None:
    """List sessions that live: id, subject, app, login, expiry, last use."""

    async def find(service: SessionService, settings: Settings) -> None:
        _warn_of_no_app(settings, app, platform)
        name = _name_of(settings, app, platform)
        left, after = limit, None
        while left:
            page = await service.find(
                platform=platform, app=name, openid=openid, limit=left, after=after
            )
            for session in page.sessions:
                click.echo(_line(session))
            left, after = left - len(page.sessions), page.after
            if after is None:
                return
        click.echo("there may be more: raise --limit", err=True)

    _run_on_sessions(config, find)


@sessions.command(cls=_Words)
@CONFIG
@click.argument("whom", nargs=-1, required=True, metavar="ID | PLATFORM APP OPENID")
@_APP_ID
def revoke(config: Path, whom: tuple[str, ...], *, is_app_id: bool) -> None:
    """End one session by its id, or all sessions of a subject."""

    async def end_one(service: SessionService, _: Settings) -> None:
        ended = await service.end(whom[0], REVOKED)
        if not ended:
            raise GatewayError("route_not_found", "no session lives under this id")
        click.echo(_tell_ended(len(ended)))

    if len(whom) == 1:
        _run_on_sessions(config, end_one)
    elif len(whom) == 3:
        subject = _Whom(*whom, is_app_id=is_app_id)
        _run_on_subject(config, subject, SessionService.end_subject, _tell_ended)
    else:
        raise click.UsageError("name a session by its id, or a subject by PLATFORM APP OPENID")


@sessions.command(cls=_Words)
@CONFIG
@_of_subject
@click.option(
    "--until", help="Seconds since the epoch, or 2030-12-31T23:59:59+08:00; else for good."
)
@click.option("--reason", help="Kept for operators; no client is told.")
def block(config: Path, until: str | None, reason: str | None, **whom: Unpack[_Named]) -> None:
    """End all sessions of a subject, and let it log in no more."""
    from gateway.admin.subjects import read_block

    is_number = until is not None and until.isascii() and until.isdigit()
    try:
        kept_out = read_block({"until": int(until or 0) if is_number else until, "reason": reason})
    except GatewayError as error:
        raise click.UsageError(error.detail) from error

    async def act(service: SessionService, subject: Subject) -> int:
        return await service.blocks.block(subject, kept_out)

    def tell(ended: int) -> str:
        until = "for good" if kept_out.until is None else f"until {_moment(kept_out.until)}"
        return f"blocked {until}, {_tell_ended(ended)}"

    _run_on_subject(config, _Whom(**whom), act, tell)


@sessions.command(cls=_Words)
@CONFIG
@_of_subject
def unblock(config: Path, **whom: Unpack[_Named]) -> None:
    """Let a subject log in again."""

    async def act(service: SessionService, subject: Subject) -> int:
        return await service.blocks.unblock(subject)

    def tell(lifted: int) -> str:
        return "unblocked" if lifted else "was not blocked"

    _run_on_subject(config, _Whom(**whom), act, tell)


# -- what they share ------------------------------------------------------------------------------


def _run_on_sessions(
    config: Path, act: Callable[[SessionService, Settings], Awaitable[None]]
) -> None:
    from gateway.build import build_sessions
    from gateway.clock import now

    settings = load_or_end(config).settings

    async def run() -> None:
        service = build_sessions(settings, now)
        try:
            await service.open()
            await act(service, settings)
        finally:
            await service.close()

    run_or_end(run(), config=config)


def _run_on_subject(config: Path, whom: _Whom, act: _Act, tell: Callable[[int], str]) -> None:
    """Do it to the user and the guest that may be meant, and tell the sum of what came of it."""
    from gateway.admin.calls import act_on_each
    from gateway.admin.subjects import read_subjects
    from gateway.build import build_apps
    from gateway.endpoints.apps import Apps

    async def run(service: SessionService, settings: Settings) -> None:
        subjects = read_subjects(whom.fields, Apps(build_apps(settings)))
        done = await act_on_each(subjects, lambda each: act(service, each))
        click.echo(tell(sum(done)))

    _run_on_sessions(config, run)


def _warn_of_no_app(settings: Settings, app: str | None, platform: str | None) -> None:
    """Say that an app is not configured: no mistake, for its sessions may be left."""
    from gateway.build import build_apps
    from gateway.endpoints.apps import Apps

    if app is not None and not Apps(build_apps(settings)).fitting(app, platform):
        click.echo("warning: no configured app has this name and platform", err=True)


def _name_of(settings: Settings, app: str | None, platform: str | None) -> str | None:
    """Turn a platform's app id into our name, as the admin API does."""
    from gateway.admin.subjects import name_of_app
    from gateway.build import build_apps
    from gateway.endpoints.apps import Apps

    return None if app is None else name_of_app(Apps(build_apps(settings)), app, platform)


def _tell_ended(count: int) -> str:
    return f"ended {count} session{'s' * (count != 1)}"


def _line(session: Session) -> str:
    moments = (session.created_at, session.expires_at, session.last_used_at)
    times = map(_moment, moments)
    return "  ".join((session.key, str(session.subject), session.app, *times))


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
