"""Decides how many cores this process may use: affinity and the container's CPU quota.

`usable_cores` is pure; `read_usable_cores` gives it what the system says. Linux's
Documentation/admin-guide/cgroup-v2.rst (cpu.max) and scheduler/sched-bwc.rst (v1).
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

V2 = Path("sys/fs/cgroup")
V1 = (Path("sys/fs/cgroup/cpu"), Path("sys/fs/cgroup/cpu,cpuacct"))


def usable_cores(affinity: int, quotas: Iterable[tuple[str, str]]) -> int:
    """Count the cores: those of the affinity, or fewer where a quota allows fewer; at least 1.

    Each quota is what stands in the kernel's files: microseconds of CPU time per period of
    microseconds; `max` and -1 are no quota, and what cannot be read is none. A part of a core
    counts as one, as the JVM and Go 1.25 count: else a quota of 1.5 would leave a third unused.
    """
    allowed = [affinity]
    for quota, period in quotas:
        if quota.isdecimal() and period.isdecimal() and int(quota) > 0 and int(period) > 0:
            allowed.append(-(-int(quota) // int(period)))
    return max(1, min(allowed))


def read_usable_cores(root: Path = Path("/")) -> int:
    """Count the cores this process may use, by the files below `root`."""
    own = _read(root / "proc/self/cgroup").splitlines()
    return usable_cores(len(os.sched_getaffinity(0)), [*_v2(root, own), *_v1(root, own)])


def _v2(root: Path, own: list[str]) -> Iterator[tuple[str, str]]:
    """The quota of our cgroup and of those around it: all of them bind."""
    paths = [line.removeprefix("0::") for line in own if line.startswith("0::")]
    for folder in _folders(root / V2, paths):
        quota, _, period = _read(folder / "cpu.max").partition(" ")
        yield quota, period


def _v1(root: Path, own: list[str]) -> Iterator[tuple[str, str]]:
    fields = [line.split(":", 2) for line in own if line.count(":") >= 2]
    paths = [path for _, controllers, path in fields if "cpu" in controllers.split(",")]
    for mounted in V1:
        for folder in _folders(root / mounted, paths):
            yield _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")


def _folders(mounted: Path, paths: list[str]) -> Iterator[Path]:
    """The mount itself, which inside a container is its own cgroup, and the folders below it.

    A path may name what a container does not see, such as its place on the host, or lead out of
    its namespace by `..`: what is not there is skipped, and what leads out is not followed.
    """
    yield mounted
    for path in paths:
        parts = PurePosixPath(path).parts[1:]
        if ".." not in parts:
            yield from (mounted.joinpath(*parts[:end]) for end in range(1, len(parts) + 1))


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
