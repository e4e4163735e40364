"""How many cores a worker count of `auto` finds, in and out of containers."""

import os
from pathlib import Path

import pytest

from gateway.supervisor.quota import read_usable_cores, usable_cores


@pytest.mark.parametrize(
    ("affinity", "quotas", "cores", "why"),
    [
        (4, [], 4, "no quota: what the scheduler may give"),
        (4, [("max", "100000")], 4, "cgroup v2 without a limit"),
        (4, [("-1", "100000")], 4, "cgroup v1 without a limit"),
        (4, [("200000", "100000")], 2, "docker run --cpus=2"),
        (4, [("150000", "100000")], 2, "a part of a core counts as one"),
        (4, [("50000", "100000")], 1, "half a core"),
        (4, [("1000", "100000")], 1, "never none"),
        (2, [("800000", "100000")], 2, "more than the affinity"),
        (8, [("400000", "100000"), ("max", "100000"), ("300000", "100000")], 3, "all bind"),
        (4, [("", "")], 4, "no such file"),
        (4, [("rubbish", "100000"), ("100000", "0"), ("0", "100000")], 4, "no quota is readable"),
        (0, [], 1, "at least one"),
    ],
)
def test_cores_are_those_that_may_be_used(
    affinity: int, quotas: list[tuple[str, str]], cores: int, why: str
) -> None:
    """The affinity, or less by a quota."""
    assert usable_cores(affinity, quotas) == cores, why


def write(root: Path, files: dict[str, str]) -> None:
    """Lay files below a root as the kernel shows them."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


HALF, FULL = "50000 100000\n", "max 100000\n"


@pytest.mark.parametrize(
    ("files", "is_limited", "why"),
    [
        ({}, False, "no cgroups at all"),
        ({"sys/fs/cgroup/cpu.max": HALF}, True, "a container sees its own as the root"),
        (
            {
                "proc/self/cgroup": "0::/system.slice/gateway.service\n",
                "sys/fs/cgroup/system.slice/gateway.service/cpu.max": HALF,
            },
            True,
            "systemd's CPUQuota on the host",
        ),
        (
            {
                "proc/self/cgroup": "0::/system.slice/gateway.service\n",
                "sys/fs/cgroup/system.slice/cpu.max": HALF,
                "sys/fs/cgroup/system.slice/gateway.service/cpu.max": FULL,
            },
            True,
            "a quota around ours",
        ),
        (
            {
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            True,
            "cgroup v1 in a container",
        ),
        (
            {
                "proc/self/cgroup": "3:memory:/other\n2:cpu,cpuacct:/docker/abc\n",
                "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "50000\n",
                "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
            },
            True,
            "cgroup v1 on the host",
        ),
        (
            {
                "proc/self/cgroup": "3:memory:/other\n",
                "sys/fs/cgroup/cpu/other/cpu.cfs_quota_us": "50000\n",
                "sys/fs/cgroup/cpu/other/cpu.cfs_period_us": "100000\n",
            },
            False,
            "another controller's path",
        ),
        (
            {"proc/self/cgroup": "0::/../outside\n", "sys/fs/outside/cpu.max": HALF},
            False,
            "a path that leads out of the namespace",
        ),
    ],
)
def test_the_kernel_s_files_are_found(
    tmp_path: Path, files: dict[str, str], is_limited: bool, why: str
) -> None:
    """Both versions of cgroups, inside and outside of containers."""
    write(tmp_path, files)
    expected = 1 if is_limited else len(os.sched_getaffinity(0))
    assert read_usable_cores(tmp_path) == expected, why


def test_this_machine_has_cores() -> None:
    """Whatever it is."""
    assert 1 <= read_usable_cores() <= len(os.sched_getaffinity(0))
