"""How one connection to a Redis, or a Sentinel, is made, and one trip on it.

It must not know pools or what is sent. Connections are redis-py's, without their own time-outs
and repeats: the caller bounds each call.
"""

import asyncio
import errno
import re
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

from redis.asyncio.connection import AbstractConnection, Connection
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from gateway.sessions.faults import ToldError
from gateway.sessions.redis.link import Command
from gateway.sessions.store import STORE_TIMEOUT_S
from gateway.settings.redis_url import RedisAddress

_NUMBERS = re.compile(r"[0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")  # addresses: no names to look up
_COMMAND = re.compile(r"'([a-z|]{1,32})' command")

Connect = Callable[[str, int], AbstractConnection]
"""Makes a connection to a host and port; it connects later."""


class RefusalError(RedisError, ToldError):
    """Redis refuses us, or we refuse its certificate: an operator has to act."""


class UnreachableError(RedisConnectionError, ToldError):
    """There is no connection to be had: the name, the address or the server is wrong, or away."""


class _TlsConnection(Connection):
    """TLS that checks the certificate, for another name than the host's where one is given."""

    def __init__(
        self,
        *,
        context: Callable[[], ssl.SSLContext],
        server_name: str | None,
        **options: Any,
    ) -> None:
        self._context = context
        self._server_name = server_name
        super().__init__(**options)

    def _connection_arguments(self) -> Mapping[str, object]:
        return {
            "host": self.host,
            "port": self.port,
            "ssl": self._context(),
            "server_hostname": self._server_name or self.host,
        }


def connector_of(address: RedisAddress) -> Connect:
    """Connections to the servers that hold records."""
    options: dict[str, object] = {
        "username": address.user,
        "password": address.password,
        "db": address.database,
    }
    return _connector(address, options)


def sentinel_connector_of(address: RedisAddress) -> Connect:
    """Connections to the sentinels, which have users of their own."""
    options: dict[str, object] = {
        "username": address.sentinel_user,
        "password": address.sentinel_password,
    }
    return _connector(address, options)


def _connector(address: RedisAddress, options: Mapping[str, object]) -> Connect:
    make: Callable[..., AbstractConnection] = Connection
    if address.is_tls:
        context = cache(lambda: _tls_context(address))  # read once: connections share it
        make = partial(_TlsConnection, context=context, server_name=address.server_name)

    def connect(host: str, port: int) -> AbstractConnection:
        return make(
            host=host,
            port=port,
            # `store_call` bounds every call. With a time-out of its own redis-py sends through
            # asyncio.wait_for, which on Python 3.11 can swallow that bound (cpython 86296).
            socket_timeout=None,
            socket_connect_timeout=STORE_TIMEOUT_S,
            protocol=2,  # the plainest one: nothing is pushed on these connections
            **options,
        )

    return connect


def _tls_context(address: RedisAddress) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=address.ca_file)
    if address.cert_file:
        context.load_cert_chain(address.cert_file, address.key_file)
    return context


async def connect(connection: AbstractConnection) -> None:
    """Connect and log in.

    Raises: RedisError; UnreachableError; RefusalError where an operator has to act.
    """
    await _look_up(connection)
    try:
        await connection.connect()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
    except RedisError as error:
        _raise_told(error)
        words = _words_for_away(error)
        if words:
            raise UnreachableError(words) from error
        raise


async def _look_up(connection: AbstractConnection) -> None:
    """See whether the host has an address. Raises: UnreachableError.

    Connecting looks it up, too; but uvloop leaves that look-up's failure to nobody where the
    connecting is cut off meanwhile, and it would stand in the log as never retrieved.
    """
    if not isinstance(connection, Connection) or _NUMBERS.fullmatch(connection.host):
        return
    try:
        await asyncio.get_running_loop().getaddrinfo(connection.host, connection.port)
    except socket.gaierror as error:
        raise UnreachableError("Redis' host name is not known") from error


async def trip(connection: AbstractConnection, commands: Sequence[Command]) -> list[object]:
    """Send commands at once and read their replies; an error reply is a value among them.

    Raises: RedisError where the connection fails; it is closed then.
    """
    packed = connection.pack_commands(commands)
    await connection.send_packed_command(packed, check_health=False)
    return [await _reply(connection) for _ in commands]


async def _reply(connection: AbstractConnection) -> object:
    try:
        reply: object = await connection.read_response()
    except ResponseError as error:
        return error
    except RedisError as error:
        _raise_told(error)
        raise
    return reply


def raise_first(replies: Sequence[object]) -> None:
    """Raise the first error among replies. Raises: RedisError."""
    for reply in replies:
        if isinstance(reply, RedisError):
            _raise_told(reply)
            raise reply


def _raise_told(error: RedisError) -> None:
    words = _words_for(error)
    if words:
        raise RefusalError(words) from error


def _words_for(error: RedisError) -> str | None:
    """What an operator is told of it, in our words: a server's may name a user or an address."""
    match error:
        case AuthenticationError():
            return "Redis refuses the user or password"
        case NoPermissionError():
            command = _COMMAND.search(str(error))
            return f"Redis' user lacks a right: {command[1] if command else 'a key or channel'}"
        case BusyLoadingError():
            return "Redis is loading its data"
        case OutOfMemoryError():
            return "Redis is full"
    # redis-py turns the system's errors into its own, without naming them as the cause.
    match error.__context__:
        case ssl.SSLCertVerificationError():
            return "the certificate of Redis is not to be believed"
        case ssl.SSLError():
            return "no TLS with Redis"
        case FileNotFoundError() | PermissionError():
            return "a file for TLS with Redis cannot be read"
    return None


def _words_for_away(error: RedisError) -> str | None:
    match error.__context__:
        case ConnectionRefusedError():
            return "nothing listens at Redis' address"
        case OSError(errno=errno.EHOSTUNREACH | errno.ENETUNREACH):
            return "there is no way to Redis' address"
    return None
