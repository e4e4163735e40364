"""Where we listen, whom we believe, where services and platforms are.

Pure. URLs are taken apart by one strict pattern each, so nothing in them is left to interpretation
(attacks.md X4: http, https and unix only; no user, no path, no query, no fragment).
"""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from gateway.settings.findings import RefusedError
from gateway.settings.scalars import Parsed, Placed, text

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}")
_AUTHORITY = r"(?P<host>\[[^\]]*\]|[^\[\]:/?#@\s]+)"
_LISTEN = re.compile(_AUTHORITY + r":(?P<port>[0-9]{1,5})")
_URL = re.compile(r"(?P<scheme>https?)://" + _AUTHORITY + r"(?::(?P<port>[0-9]{1,5}))?/?")
MAX_HOST_CHARACTERS = 253  # RFC 1035, 2.3.4
MAX_PORT = 65535

_HOST_ALLOWED = "a host name or an IP address, without a port or zone; international names as xn--…"
_LISTEN_ALLOWED = "host:port such as 0.0.0.0:8080, or unix:/path.sock"
_BASE_ALLOWED = "http://host or https://host, perhaps with :port; no user, path, query or fragment"
_TARGET_ALLOWED = (
    "http://host:port, https://host:port or unix:/path.sock; no user, path, query, fragment or"
    " IPv6 zone"
)


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a listener stands: a host and a port, or the path of a unix socket."""

    host: str | None = None
    port: int | None = None
    path: Path | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"{bracket(self.host or '')}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a service is: `host` and `port` for http and https, `path` for a unix socket.

    `host` is lower-case, an IPv6 address without brackets; `port` is always filled in.
    """

    scheme: Literal["http", "https", "unix"]
    host: str | None = None
    port: int | None = None
    path: Path | None = None

    @property
    def authority(self) -> str:
        """What stands in `Host` when the service's own name is sent (RFC 9110, 7.2)."""
        if self.scheme == "unix" or self.host is None:
            return "localhost"
        default = 443 if self.scheme == "https" else 80
        return bracket(self.host) + ("" if self.port == default else f":{self.port}")

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path else f"{self.scheme}://{self.authority}"


def bracket(host: str) -> str:
    """Put an IPv6 address in brackets (RFC 3986, 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def check_host(value: object, allowed: str = _HOST_ALLOWED) -> str:
    """Take a host name or address: lower-case, IPv6 without brackets. Raises: RefusedError."""
    host = text(value, allowed).lower()
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        pass
    else:
        if "%" in bare:  # a zone means something on one machine only, and none in Host (RFC 6874)
            raise RefusedError(allowed)
        return str(address)
    last_label = host.rpartition(".")[2]
    # 0x7f.1 and 2130706433 are addresses to some resolvers and names to others.
    is_number = last_label.isdigit() or last_label.startswith("0x")
    if len(host) > MAX_HOST_CHARACTERS or is_number or not _NAME.fullmatch(host):
        raise RefusedError(allowed)
    return host


def _port(digits: str | None, default: int, allowed: str, *, minimum: int = 1) -> int:
    port = default if digits is None else int(digits)
    if not minimum <= port <= MAX_PORT:
        raise RefusedError(allowed)
    return port


def _socket_path(value: str, base: Path, allowed: str) -> Path:
    path = value.removeprefix("unix:")
    if not path or path.startswith("//") or "\0" in path:
        raise RefusedError(allowed)
    return base / path


def parse_listen(value: object, base: Path) -> Listen:
    """Read `host:port` or `unix:/path`; port 0 lets the system choose. Raises: RefusedError."""
    address = text(value, _LISTEN_ALLOWED)
    if address.startswith("unix:"):
        return Listen(path=_socket_path(address, base, _LISTEN_ALLOWED))
    match = _LISTEN.fullmatch(address)
    if match is None:
        raise RefusedError(_LISTEN_ALLOWED)
    return Listen(
        check_host(match["host"], _LISTEN_ALLOWED),
        _port(match["port"], 0, _LISTEN_ALLOWED, minimum=0),
    )


def parse_target(value: object, base: Path) -> Target:
    """Read the address of a service. Raises: RefusedError."""
    address = text(value, _TARGET_ALLOWED)
    if address.startswith("unix:"):
        return Target("unix", path=_socket_path(address, base, _TARGET_ALLOWED))
    match = _URL.fullmatch(address)
    if match is None:
        raise RefusedError(_TARGET_ALLOWED)
    scheme: Literal["http", "https"] = "https" if match["scheme"] == "https" else "http"
    port = _port(match["port"], 443 if scheme == "https" else 80, _TARGET_ALLOWED)
    return Target(scheme, check_host(match["host"], _TARGET_ALLOWED), port)


def parse_base(value: object) -> str:
    """Read the base of a platform's API; the slash at its end is cut. Raises: RefusedError."""
    address = text(value, _BASE_ALLOWED)
    match = _URL.fullmatch(address)
    if match is None:
        raise RefusedError(_BASE_ALLOWED)
    _port(match["port"], 443, _BASE_ALLOWED)
    check_host(match["host"])
    return address.removesuffix("/")


def parse_proxy(value: object) -> str:
    """Read the address of an outbound http proxy. Raises: RefusedError."""
    allowed = "http://host:port of a proxy, without user and password"
    if not isinstance(value, str) or not value.startswith("http://"):
        raise RefusedError(allowed)
    try:
        return parse_base(value)
    except RefusedError:
        raise RefusedError(allowed) from None


def parse_network(value: object) -> IPNetwork:
    """Read a CIDR; one address is a network of one. Raises: RefusedError."""
    allowed = "an address or a network without host bits, such as 10.0.0.0/8"
    try:
        return ipaddress.ip_network(text(value, allowed), strict=True)
    except ValueError:
        raise RefusedError(allowed) from None


def check_header_name(value: object) -> str:
    """Take a header's name (RFC 9110, 5.1); it is lower-cased. Raises: RefusedError."""
    name = text(value, "a header's name").lower()
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", name):
        raise RefusedError("a header's name: letters, digits and -")
    return name


_STRING = {"type": "string"}

HostName = Annotated[str, Parsed(check_host, _STRING)]
ListenAddress = Annotated[
    Listen, Placed(parse_listen, {"type": "string", "pattern": "^unix:.+$|:[0-9]{1,5}$"})
]
TargetAddress = Annotated[
    Target, Placed(parse_target, {"type": "string", "pattern": "^(https?://|unix:)"})
]
ApiBase = Annotated[str, Parsed(parse_base, {"type": "string", "pattern": "^https?://"})]
ProxyAddress = Annotated[str, Parsed(parse_proxy, {"type": "string", "pattern": "^http://"})]
Network = Annotated[IPNetwork, Parsed(parse_network, _STRING)]
HeaderName = Annotated[str, Parsed(check_header_name, _STRING)]
