"""Stores that fail under a gateway, while sessions are asked for and made."""

import resource
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.attack.asking import until
from tests.attack.leakage_faults import session_of
from tests.attack.leakage_processes import is_serving, limited, workers_of
from tests.attack.leakage_world import World
from tests.support.redis_server import RedisServer


def _use(world: World, token: str, why: str) -> None:
    """Do everything that a store is asked for, all at once: each waits for it."""
    whom = {"platform": "wechat", "app": "scripted", "openid": world.markers["openid"]}
    code = f"{world.markers['login code']}-{why}"
    asked: tuple[Callable[[], object], ...] = (
        lambda: world.log_in(code, "shop-wechat"),
        lambda: world.log_in(f"{code}-away", "away"),
        lambda: world.ask_admin("POST /api/subjects/revoke", body=whom),
        lambda: world.ask_admin("GET /readyz"),
        lambda: world.ask_admin("GET /metrics"),
        *(partial(world.ask, line, token=token) for line in _LINES),
    )
    with ThreadPoolExecutor(len(asked)) as pool:
        for future in [pool.submit(each) for each in asked]:
            future.result()
    world.note(f"store: {why}")


_LINES = ("GET /api/x", "GET /session", "POST /session/renew", "POST /logout")


# -- SQLite ---------------------------------------------------------------------------------------


def sqlite_faults(world: World) -> None:
    """The disk is full, the file damaged, and gone."""
    path = world.stage.folder / "data" / "gateway.db"
    token = session_of(world)
    everybody = [world.stage.process.pid, *workers_of(world)]
    # No file may grow: neither the store's nor a log.
    with limited(everybody, resource.RLIMIT_FSIZE, lambda _: 1):
        _use(world, token, "disk full")
    until(lambda: is_serving(world))
    token = session_of(world)
    wal = path.with_name("gateway.db-wal")
    for file in (wal, path):
        if file.exists():
            file.write_bytes(b"no database " * 1000)
    _use(world, token, "file damaged")
    for file in path.parent.glob("gateway.db*"):
        file.unlink()
    path.mkdir()
    _use(world, token, "a folder in its place")


# -- Redis ----------------------------------------------------------------------------------------


def redis_faults(world: World, server: RedisServer) -> None:
    """It becomes full, read-only, emptied, hangs, lets nobody in, and dies."""
    password, token = world.markers["store password"], session_of(world)
    for why, words, back in (
        ("full", "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"),
        (
            "too few replicas",
            "CONFIG SET min-replicas-to-write 3",
            "CONFIG SET min-replicas-to-write 0",
        ),
        ("read-only", "REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
        ("emptied", "FLUSHALL", "PING"),
    ):
        _command(server, password, words)
        _use(world, token, why)
        _command(server, password, back)
    server.freeze()
    _use(world, token, "hangs")
    server.thaw()
    _command(server, password, f"CONFIG SET requirepass {_ANOTHER}")
    _command(server, _ANOTHER, "CLIENT KILL TYPE normal")  # each has to greet anew
    _use(world, token, "refuses the password")
    server.stop()
    _use(world, token, "dead")


_ANOTHER = "another-password-than-before"


def _command(server: RedisServer, password: str, words: str) -> None:
    """Send a command behind the password; inline commands are lines (Redis' protocol)."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(f"AUTH {password}\r\n{words}\r\n".encode())
        while connection.recv(65536).count(b"\r\n") < 2:
            pass
