"""Listening sockets: shared out among workers, never with strangers."""

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from gateway.settings import Listen
from gateway.sockets import ListeningSockets, open_sockets

HERE = Listen("127.0.0.1", 0)


def close(*all_sockets: ListeningSockets) -> None:
    for each in all_sockets:
        each.close()
        each.remove_file()


async def test_each_worker_has_a_listener_of_its_own() -> None:
    """On one port; the kernel shares connections out among them."""
    sockets = await open_sockets(HERE, 3)
    listening = [each for number in range(3) for each in sockets.of(number)]
    assert len({each.fileno() for each in listening}) == 3
    assert {each.getsockname() for each in listening} == {("127.0.0.1", sockets.port)}
    clients = [socket.create_connection(("127.0.0.1", sockets.port)) for _ in range(60)]
    taken = [queued(each) for each in listening]
    assert sum(taken) == 60
    assert min(taken) > 0
    for client in clients:
        client.close()
    close(sockets)


def queued(listening: socket.socket) -> int:
    """Accept what waits, and count it."""
    listening.setblocking(False)
    count = 0
    while True:
        try:
            listening.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("others", [1, 2])
async def test_a_port_that_is_served_is_not_joined(workers: int, others: int) -> None:
    """SO_REUSEPORT would let a second gateway in beside the first, with half of its clients."""
    first = await open_sockets(HERE, others)
    with pytest.raises(OSError, match=rf"\('127.0.0.1', {first.port}\): address already in use"):
        await open_sockets(Listen("127.0.0.1", first.port), workers)
    close(first)
    again = await open_sockets(Listen("127.0.0.1", first.port), workers)
    close(again)


async def test_a_single_worker_s_port_is_its_own() -> None:
    """Without SO_REUSEPORT nobody can share it later either."""
    sockets = await open_sockets(HERE)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", sockets.port))
    close(sockets)


async def test_a_name_may_have_several_addresses() -> None:
    """`localhost` is often two; both are listened on, as far as this machine has them."""
    sockets = await open_sockets(Listen("localhost", 0), 2)
    families = {each.family for each in sockets.of(0)}
    assert families <= {socket.AF_INET, socket.AF_INET6}
    assert len(sockets.of(1)) == len(sockets.of(0))
    close(sockets)


@pytest.mark.parametrize("workers", [1, 2])
async def test_an_address_that_is_not_ours_is_an_error(workers: int) -> None:
    """Named in the error."""
    with pytest.raises(OSError, match=r"192\.0\.2\.1") as failed:
        await open_sockets(Listen("192.0.2.1", 80), workers)
    assert failed.value.errno == errno.EADDRNOTAVAIL


async def test_closing_ours_leaves_a_worker_s_copy() -> None:
    """As descriptors do."""
    sockets = await open_sockets(HERE, 2)
    copy = sockets.of(0)[0].dup()
    port = sockets.port
    sockets.close()
    with socket.create_connection(("127.0.0.1", port)):
        assert queued(copy) == 1
    copy.close()
    assert sockets.port == port


async def test_workers_share_a_unix_socket(tmp_path: Path) -> None:
    """Its file is taken away at the end."""
    path = tmp_path / "gw.sock"
    sockets = await open_sockets(Listen(path=path), 2)
    assert sockets.of(0) == sockets.of(1)
    assert sockets.port == 0
    assert stat.S_ISSOCK(path.stat().st_mode)
    close(sockets)
    assert not path.exists()


async def test_a_unix_socket_left_behind_is_replaced(tmp_path: Path) -> None:
    """One that is served is not, and nor is a file of another kind."""
    path = tmp_path / "gw.sock"
    (await open_sockets(Listen(path=path))).close()
    sockets = await open_sockets(Listen(path=path))
    with pytest.raises(OSError, match="in use"):
        await open_sockets(Listen(path=path))
    close(sockets)
    path.write_text("somebody's")
    with pytest.raises(OSError, match="in use"):
        await open_sockets(Listen(path=path))
    assert path.read_text() == "somebody's"


async def test_another_s_unix_socket_stays(tmp_path: Path) -> None:
    """A file that was replaced meanwhile is not ours to remove."""
    path = tmp_path / "gw.sock"
    sockets = await open_sockets(Listen(path=path))
    path.rename(tmp_path / "moved")
    path.write_text("another's")
    close(sockets)
    assert path.exists()
    path.unlink()
    sockets.remove_file()


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With its path."""
    with pytest.raises(FileNotFoundError) as failed:
        await open_sockets(Listen(path=tmp_path / "no" / "gw.sock"))
    assert failed.value.filename == os.fspath(tmp_path / "no" / "gw.sock")
