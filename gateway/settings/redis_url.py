"""How the address of a Redis store is written: one server, Sentinel or Cluster; TLS or not.

Pure: nothing is looked up, no file is opened. Refusals never quote an address, for it may hold a
password.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from gateway.settings.findings import RefusedError

RedisKind = Literal["single", "sentinel", "cluster"]

_ENCODED = "in user and password all but letters, digits and -._~ percent-encoded (@ is %40)"
REDIS_ALLOWED = (
    "redis://[user:password@]host[:port][/number],"
    " redis+sentinel://[user:password@]host[:port][,host…]/master-name[/number]"
    " or redis+cluster://[user:password@]host[:port][,host…]; with rediss for TLS;"
    f" {_ENCODED}"
)
_OPTIONS_ALLOWED = (
    "with rediss the options ssl_ca_certs, ssl_certfile, ssl_keyfile and ssl_server_name, with"
    " sentinel sentinel_username and sentinel_password; each once, no others;"
    f" {_ENCODED}"
)
_TLS_OPTIONS = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_server_name"})
_SENTINEL_OPTIONS = frozenset({"sentinel_username", "sentinel_password"})
_KINDS: Mapping[str, RedisKind] = {"": "single", "sentinel": "sentinel", "cluster": "cluster"}
_PORT = 6379
_SENTINEL_PORT = 26379
_DATABASE = "(?:/([0-9]{0,3}))?"
# Sentinel's own rule for a master's name: letters, digits and these.
_SENTINEL_PATH = re.compile(rf"/([A-Za-z0-9._-]{{1,128}}){_DATABASE}")
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where Redis is and how we enter. `hosts` are sentinels, or nodes to ask first, or the one.

    `ca_file`, `cert_file` and `key_file` are PEM. `server_name` is the name that certificates are
    checked for, in place of the host's: announced addresses are often plain numbers.
    """

    kind: RedisKind
    is_tls: bool
    hosts: tuple[tuple[str, int], ...]
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    master_name: str = ""
    database: int = 0
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None
    sentinel_user: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)


def parse_redis_url(url: str) -> RedisAddress:
    """Read an address. Raises: RefusedError."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise RefusedError(REDIS_ALLOWED) from None
    scheme, _, kind_name = parts.scheme.partition("+")
    kind = _KINDS.get(kind_name)
    if scheme not in {"redis", "rediss"} or kind is None or parts.fragment:
        raise RefusedError(REDIS_ALLOWED)
    options = _read_options(parts, kind, is_tls=scheme == "rediss")
    user, password = _read_user(parts.netloc)
    master_name, database = _read_path(parts.path, kind)
    return RedisAddress(
        kind=kind,
        is_tls=scheme == "rediss",
        hosts=_read_hosts(parts.netloc, kind),
        user=user,
        password=password,
        master_name=master_name,
        database=database,
        ca_file=options.get("ssl_ca_certs"),
        cert_file=options.get("ssl_certfile"),
        key_file=options.get("ssl_keyfile"),
        server_name=options.get("ssl_server_name"),
        sentinel_user=options.get("sentinel_username"),
        sentinel_password=options.get("sentinel_password"),
    )


def _read_options(parts: SplitResult, kind: RedisKind, *, is_tls: bool) -> dict[str, str]:
    allowed = _TLS_OPTIONS if is_tls else frozenset()
    if kind == "sentinel":
        allowed |= _SENTINEL_OPTIONS
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    options = dict(pairs)
    is_fit = len(options) == len(pairs) and options.keys() <= allowed and all(options.values())
    if not is_fit or ("ssl_keyfile" in options and "ssl_certfile" not in options):
        raise RefusedError(_OPTIONS_ALLOWED)
    return options


def _read_user(netloc: str) -> tuple[str | None, str | None]:
    user, _, password = netloc.rpartition("@")[0].partition(":")
    return unquote(user) or None, unquote(password) or None


def _read_hosts(netloc: str, kind: RedisKind) -> tuple[tuple[str, int], ...]:
    written = netloc.rpartition("@")[2].split(",")
    if kind == "single" and len(written) > 1:
        raise RefusedError(REDIS_ALLOWED)
    return tuple(
        _read_host(one, _SENTINEL_PORT if kind == "sentinel" else _PORT) for one in written
    )


def _read_host(text: str, default_port: int) -> tuple[str, int]:
    found = _HOST.fullmatch(text)
    if found is None:
        raise RefusedError(REDIS_ALLOWED)
    port = int(found[3] or default_port)
    if not 0 < port < 65536:
        raise RefusedError(REDIS_ALLOWED)
    return found[1] or found[2], port


def _read_path(path: str, kind: RedisKind) -> tuple[str, int]:
    """The master's name and the number of the database; a Cluster has only 0."""
    if kind == "sentinel":
        found = _SENTINEL_PATH.fullmatch(path)
        name, number = (found[1], found[2]) if found else ("", None)
        is_fit = found is not None
    else:
        found = re.fullmatch(_DATABASE, path)
        name, number = "", found[1] if found else None
        is_fit = found is not None and (kind == "single" or int(number or 0) == 0)
    if not is_fit:
        raise RefusedError(REDIS_ALLOWED)
    return name, int(number or 0)
