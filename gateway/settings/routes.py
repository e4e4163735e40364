"""The settings of one route: what it matches, whom it lets in, where it leads.

Pure; design sections 3 and 8. How a request finds its route stands in `gateway.routing`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from gateway.settings.addresses import HostName
from gateway.settings.apps import Platform
from gateway.settings.findings import RefusedError
from gateway.settings.part import Name, Part, WideName
from gateway.settings.paths import UrlPath, UrlPrefix
from gateway.settings.scalars import Flag, Parsed, Reads, Text, matching, plain, whole
from gateway.settings.units import Duration, Size

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
Access = Literal["required", "optional", "none"]
Ambiguity = Literal["double_slash", "encoded_slash", "semicolon"]
Profile = Literal["native", "wx-cloudrun", "douyin-cloud", "ruoyi", "userinfo", "remote-user"]

BODILESS_STATUSES = (204, 205, 304)  # RFC 9110, 15.3.5, 15.3.6, 15.4.5
MAX_CONTENT_BYTES = 1024**2
MAX_REQUESTS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file that was read with the settings."""

    path: Path
    content: bytes


def _status(value: object) -> int:
    status = plain(value)
    is_final = isinstance(status, int) and not isinstance(status, bool) and 200 <= status <= 599
    if not isinstance(status, int) or not is_final or status in BODILESS_STATUSES:
        raise RefusedError("a status from 200 to 599 that may have a body (not 204, 205 or 304)")
    return status


def _read_file(value: object) -> ReadFile:
    if not isinstance(value, ReadFile):
        raise RefusedError("the path of a file of at most 1MiB")
    return value


class RespondSettings(Part):
    """A fixed answer: domain verification files and the like."""

    status: Annotated[int, Parsed(_status, {"type": "integer", "minimum": 200, "maximum": 599})] = (
        200
    )
    content_type: Annotated[
        str, matching("[!-~][ -~]{0,254}", "a content type such as text/plain; charset=utf-8")
    ] = "text/plain; charset=utf-8"
    body: Text | None = None
    """The text to answer with."""
    file: (
        Annotated[ReadFile, Parsed(_read_file, {"type": "string", "minLength": 1}, Reads.CONTENT)]
        | None
    ) = None
    """A file to answer with, read when the settings are loaded."""

    @property
    def content(self) -> bytes:
        """The bytes of the answer's body."""
        return self.file.content if self.file else (self.body or "").encode()


class RateLimit(Part):
    """How often somebody may call this route, per process."""

    requests: Annotated[int, whole(1, MAX_REQUESTS)]
    per: Duration
    by: Literal["subject", "ip"] = "subject"


class RouteLimits(Part):
    """Bounds that replace the server's on this route."""

    body: Size | None = None


class RouteTimeouts(Part):
    """Time-outs that replace the upstream's on this route."""

    first_byte: Duration | None = None
    idle: Duration | None = None
    stream_idle: Duration | None = None


class RouteSettings(Part):
    """One route."""

    path: UrlPath
    """Ends in /: a prefix, which owns the path without the slash too; otherwise exact."""
    host: HostName | None = None
    """Only this host, without port."""
    methods: Annotated[tuple[Method, ...], Field(min_length=1)] | None = None
    """Only these; GET takes HEAD along."""
    upstream: WideName | None = None
    """The service this route leads to; or else `respond`."""
    respond: RespondSettings | None = None
    session: Access = "required"
    """required, optional, or none: the token is not looked at."""
    anonymous: Flag = False
    """Whether a guest may enter where a session is required."""
    apps: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """Sessions of these apps only."""
    platforms: Annotated[tuple[Platform, ...], Field(min_length=1)] | None = None
    """Sessions of these platforms only."""
    strip_prefix: UrlPrefix | None = None
    """Cut off before forwarding."""
    allow: tuple[Ambiguity, ...] = ()
    """Spellings let through that are refused elsewhere."""
    ticket: Flag = False
    """Whether ?gw_ticket= is taken here."""
    rate_limit: RateLimit | None = None
    limits: RouteLimits = RouteLimits()
    timeouts: RouteTimeouts = RouteTimeouts()
    identity: Profile = "native"
    """Which identity headers the service gets."""
    assertion: Flag = False
    """Whether the service gets a signed identity."""
