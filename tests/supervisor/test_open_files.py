"""How many connections fit into the files that a process may open."""

import json
import resource
import subprocess
import sys

import pytest

from gateway.settings import Settings, build
from gateway.supervisor.open_files import RESERVED, fit

TARGETS = ["http://10.0.0.1", "http://10.0.0.2"]


def settings(connections: int, pool: int) -> Settings:
    """Settings with two targets, each with a pool of this size."""
    return build(
        {
            "environment": "development",
            "server": {"limits": {"connections": connections}},
            "upstreams": {"a": {"targets": TARGETS, "connections": pool}},
        }
    )


@pytest.mark.parametrize(
    ("files", "connections", "pool", "taken", "why"),
    [
        (524_288, 20_000, 512, 20_000, "systemd's limit does for what is usual"),
        (1024, 20_000, 100, 1024 - RESERVED - 200, "each pool has its files"),
        (1024, 20_000, 512, 1024 - RESERVED - 512, "but all of them together at most half"),
        (1024, 100, 512, 100, "whoever wants few gets few"),
        (1024, 448, 512, 448, "just enough"),
        (1024, 449, 512, 448, "one too many"),
        (10, 20_000, 512, 1, "at least one"),
        (resource.RLIM_INFINITY, 20_000, 512, 20_000, "no limit"),
    ],
)
def test_connections_leave_files_for_the_rest(
    files: int, connections: int, pool: int, taken: int, why: str
) -> None:
    """Services, the store and platforms are reached also when all clients are there."""
    wanted = settings(connections, pool)
    fitting = fit(wanted, files)
    assert fitting.server.limits.connections == taken, why
    assert fitting.upstreams == wanted.upstreams
    assert (fitting is wanted) == (taken == connections)


@pytest.mark.parametrize(
    ("per_ip", "taken", "why"),
    [
        (2000, 224, "half of what is left"),
        (200, 200, "less is less"),
        (20_000, 20_000, "whoever lets one address have all knows why"),
    ],
)
def test_one_address_does_not_get_all_that_is_left(per_ip: int, taken: int, why: str) -> None:
    """Or one client alone would keep all others out."""
    limits = {"connections": 20_000, "connections_per_ip": per_ip}
    upstreams = {"a": {"targets": TARGETS, "connections": 512}}
    server = {"limits": limits}
    wanted = build({"environment": "development", "server": server, "upstreams": upstreams})
    assert fit(wanted, 1024).server.limits.connections_per_ip == taken, why


_RAISING = """
import json, resource
from gateway.supervisor.open_files import raise_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 512))
print(json.dumps([raise_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE)]))
"""


def test_the_limit_is_raised_as_far_as_it_may_be() -> None:
    """The soft limit is for programs that use select."""
    done = subprocess.run(
        [sys.executable, "-c", _RAISING], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [512, 512, 512]
