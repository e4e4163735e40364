"""The settings of one service behind the gateway.

Pure; design sections 3 and 8.
"""

from typing import Annotated, Literal

from pydantic import Field

from gateway.settings.addresses import HostName, TargetAddress
from gateway.settings.part import Part
from gateway.settings.paths import UrlPath
from gateway.settings.scalars import InputFile, PrivateFile, given, whole
from gateway.settings.units import Duration, DurationOrZero

MAX_RETRIES = 5
MAX_POOL = 100_000


class HealthCheck(Part):
    """How a target is asked whether it lives."""

    path: UrlPath
    interval: Duration = given("5s")


class UpstreamTimeouts(Part):
    """How long a service may take."""

    connect: Duration = given("2s")
    """Until the connection stands; also the wait for a free one."""
    first_byte: Duration = given("30s")
    """From the end of the request body to the answer's head."""
    idle: Duration = given("60s")
    """Silence within an answer."""
    stream_idle: Duration = given("10m")
    """The same for event streams and WebSockets."""
    keepalive: DurationOrZero = given("4s")
    """How long an unused connection stays in the pool; 0s keeps none."""


class UpstreamTls(Part):
    """How an https service is checked, and what it is shown."""

    ca: InputFile | None = None
    """PEM file of the authorities believed; the system's where it is left out."""
    cert: InputFile | None = None
    """PEM file of our client certificate."""
    key: PrivateFile | None = None
    """PEM file of its private key."""
    server_name: HostName | None = None
    """The name the service's certificate must carry, in place of the target's host."""


class UpstreamSettings(Part):
    """One service; its name is its key."""

    targets: Annotated[tuple[TargetAddress, ...], Field(min_length=1)]
    """Where it is: http://host:port, https://host:port or unix:/path.sock."""
    balance: Literal["round_robin", "least_requests"] = "round_robin"
    health_check: HealthCheck | None = None
    timeouts: UpstreamTimeouts = given({})
    connections: Annotated[int, whole(1, MAX_POOL)] = 512
    """Per process and target; then a wait of at most `connect`, then 503 overloaded."""
    retries: Annotated[int, whole(0, MAX_RETRIES)] = 1
    tls: UpstreamTls | None = None
    host_header: Literal["client", "upstream"] = "client"
    """Whose name `Host` carries."""
