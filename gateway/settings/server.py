"""The listeners' settings: public, admin, what the gateway answers itself, logs.

Pure; design section 3. What a limit protects is said where it is enforced.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from gateway.settings.addresses import HeaderName, HostName, ListenAddress, Network
from gateway.settings.findings import RefusedError
from gateway.settings.part import Part, WideName
from gateway.settings.paths import LoginPath, UrlPath
from gateway.settings.scalars import (
    Flag,
    InputFile,
    Placed,
    PrivateFile,
    Text,
    Workers,
    given,
    take_path,
    whole,
)
from gateway.settings.units import Duration, DurationOrZero, Size
from gateway.settings.vault import AdminToken

MAX_CONNECTIONS = 10_000_000


class ServerLimits(Part):
    """Bounds of one request and of one process."""

    headers: Size = given("32KiB")
    """All header lines of a request together."""
    target: Size = given("8KiB")
    """The request target: path and query."""
    body: Size = given("100MiB")
    """A request body; a route may set its own."""
    connections: Annotated[int, whole(1, MAX_CONNECTIONS)] = 20000
    """Open client connections per process."""
    connections_per_ip: Annotated[int, whole(1, MAX_CONNECTIONS)] = 2000
    """Open connections of one client address per process, IPv6 by /64."""


class ServerTimeouts(Part):
    """How long a client may take."""

    headers: Duration = given("10s")
    """Until the request head is complete."""
    body_idle: Duration = given("30s")
    """Silence within a request body."""
    body_rate: Size = given("1KiB")
    """Bytes a second a body must keep up, averaged over body_idle."""
    write_idle: Duration = given("60s")
    """Until a client takes the next bytes of an answer."""
    keepalive: DurationOrZero = given("75s")
    """How long an unused client connection stays open."""
    shutdown: DurationOrZero = given("30s")
    """How long open requests may go on when the gateway stops."""


class ServerTls(Part):
    """The public listener's certificate."""

    cert: InputFile
    """PEM file with the certificate chain."""
    key: PrivateFile
    """PEM file with the private key."""


class ServerSettings(Part):
    """The public listener."""

    listen: ListenAddress = given("0.0.0.0:8080")
    """host:port, or unix:/path.sock."""
    workers: Workers = "auto"
    """Processes; auto is the number of cores this container may use."""
    trusted_proxies: tuple[Network, ...] = ()
    """Networks whose forwarded headers are believed."""
    client_ip_header: HeaderName = "x-forwarded-for"
    """The header that names the client, from trusted proxies only."""
    proxy_protocol: Flag = False
    """Whether trusted proxies speak the PROXY protocol."""
    health_path: UrlPath | None = None
    """A public path that answers 200, for a cloud load balancer."""
    limits: ServerLimits = given({})
    timeouts: ServerTimeouts = given({})
    tls: ServerTls | None = None


Scope = Literal["read", "write", "revoke", "decrypt", "reload"]


class AdminTokenSettings(Part):
    """Who may use the admin API, and for what."""

    name: WideName
    """Stands in the audit log."""
    token: AdminToken
    """At least 16 characters."""
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]


class AdminSettings(Part):
    """The admin listener: health and the admin API."""

    listen: ListenAddress = given("127.0.0.1:8081")
    """Never the public listener's address."""
    tokens: tuple[AdminTokenSettings, ...] = ()
    metrics: Literal["open", "token"] = "open"
    """Whether /metrics asks for a token with the scope read."""


class EndpointsSettings(Part):
    """Where the gateway answers itself; null switches an endpoint off."""

    hosts: tuple[HostName, ...] = ()
    """Only on these hosts; empty is all."""
    login: tuple[LoginPath, ...] | None = (
        "/login",
        "/api/v1/registers/{platform}_program/{app_id}",
    )
    """Paths of login; {platform} and {app_id} may stand in them."""
    logout: UrlPath | None = "/logout"
    session: UrlPath | None = "/session"
    decrypt: UrlPath | None = "/decrypt"
    phone: UrlPath | None = None
    """Costs money at the platform: on by choice."""
    auth: UrlPath | None = "/auth"
    """Forward-auth, and everything below it."""
    jwks: UrlPath | None = "/.well-known/jwks.json"


def _access_log(value: object, base: Path) -> Path | str:
    if value in ("stdout", "off"):
        return str(value)
    # A bare word is rather a slip of the pen (`sdtout`) than a file.
    if not isinstance(value, str) or "/" not in value:
        raise RefusedError("stdout, off, or the path of a file (with a slash: ./access.log)")
    return take_path(value, base)


class LogsSettings(Part):
    """What is written down."""

    access: Annotated[
        Path | Literal["stdout", "off"], Placed(_access_log, {"type": "string", "minLength": 1})
    ] = "stdout"
    """stdout, off, or a file (with a slash: ./access.log)."""
    format: Literal["json", "text"] = "json"
    """text where the environment is development and nothing is said."""
    level: Literal["debug", "info", "warning", "error"] = "info"


class ReservedSettings(Part):
    """Names that only the gateway may send to services."""

    allow: tuple[Text, ...] = ()
    """Names of other hosts' profiles that clients may send after all."""
