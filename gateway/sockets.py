"""Opens the sockets that the public listener's address means, and keeps them for their owner.

Several workers get one SO_REUSEPORT socket each, so that the kernel shares connections out: opened
before any worker and closed after all of them, for closing one drops what waits in its queue
(design 9, point 8). A unix socket cannot be opened twice: the workers share it.
"""

import asyncio
import errno
import socket
import stat
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from gateway.settings import Listen

BACKLOG = 4096
"""Connections the kernel holds for us; it takes the lesser of this and net.core.somaxconn."""

Address = tuple[socket.AddressFamily, tuple[str | int | bytes, ...]]


class ListeningSockets:
    """The listening sockets of one address: a share of them for each worker."""

    def __init__(self, shares: Sequence[Sequence[socket.socket]], path: Path | None = None) -> None:
        self._shares = shares
        self._path = path
        self._inode = None if path is None else path.stat().st_ino
        self.port = 0 if path is not None else int(shares[0][0].getsockname()[1])
        """The real port, also where 0 was asked for; 0 for a unix socket."""

    def of(self, number: int) -> Sequence[socket.socket]:
        """The sockets of one worker, counted from 0; they stay ours."""
        return self._shares[number]

    def close(self) -> None:
        """Close our copies; whoever has others goes on."""
        for each in {each for share in self._shares for each in share}:
            each.close()

    def remove_file(self) -> None:
        """Take a unix socket's file away, unless another process has put its own there."""
        if self._path is not None and _inode(self._path) == self._inode:
            self._path.unlink(missing_ok=True)


async def open_sockets(listen: Listen, workers: int = 1) -> ListeningSockets:
    """Listen for this many workers. Raises: OSError, also where somebody listens already."""
    if listen.path is not None:
        shared = (await _open_unix(listen.path),)
        return ListeningSockets([shared] * workers, listen.path)
    addresses = await _resolve(listen.host or "", listen.port or 0)
    if workers == 1:
        return ListeningSockets([_listen(_bind_all(addresses, shares_port=False))])
    # SO_REUSEPORT would let us in beside another gateway; without it the kernel says who is there.
    alone = _bind_all(addresses, shares_port=False)
    addresses = [(each.family, each.getsockname()) for each in alone]
    _close(alone)
    return ListeningSockets(_share(addresses, workers))


def _share(addresses: Sequence[Address], workers: int) -> list[list[socket.socket]]:
    """Listen once for each worker at the same addresses."""
    with ExitStack() as stack:
        shares = []
        for _ in range(workers):
            share = _listen(_bind_all(addresses, shares_port=True))
            stack.callback(_close, share)
            shares.append(share)
        stack.pop_all()  # they stay open, all or none
    return shares


# -- TCP ------------------------------------------------------------------------------------------


async def _resolve(host: str, port: int) -> list[Address]:
    found = await asyncio.get_running_loop().getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def _bind_all(addresses: Sequence[Address], *, shares_port: bool) -> list[socket.socket]:
    """Bind a socket to each address; an address this machine has not is left out among several."""
    bound: list[socket.socket] = []
    missing: OSError | None = None
    for family, address in addresses:
        try:
            bound.append(_bind(family, address, shares_port=shares_port))
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                _close(bound)
                raise
            missing = error
    if missing is not None and not bound:
        raise missing
    return bound


def _bind(
    family: socket.AddressFamily, address: tuple[str | int | bytes, ...], *, shares_port: bool
) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shares_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:  # an IPv4 socket has the same port
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        told = f"error while attempting to bind on address {address!r}"
        raise OSError(error.errno, f"{told}: {(error.strerror or '').lower()}") from None
    return bound


def _listen(bound: list[socket.socket]) -> list[socket.socket]:
    try:
        for each in bound:
            each.listen(BACKLOG)
    except OSError:
        _close(bound)
        raise
    return bound


def _close(sockets: Sequence[socket.socket]) -> None:
    for each in sockets:
        each.close()


# -- unix sockets ---------------------------------------------------------------------------------


async def _open_unix(path: Path) -> socket.socket:
    """Listen on a unix socket; one left behind by a killed process is replaced."""
    await _refuse_if_served(path)
    _remove_left_behind(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(str(path))
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise OSError(error.errno, error.strerror, str(path)) from None
    return bound


async def _refuse_if_served(path: Path) -> None:
    """Binding takes a unix socket's path away from whoever serves there; a port would be taken."""
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return
    writer.close()
    raise OSError(errno.EADDRINUSE, "address already in use", str(path))


def _remove_left_behind(path: Path) -> None:
    with suppress(OSError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None
