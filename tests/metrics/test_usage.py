"""What a worker tells of its own usage."""

import os
from pathlib import Path

import pytest

from gateway.metrics.catalogue import WORKER_CPU, WORKER_MEMORY
from gateway.metrics.usage import STATM, read_usage


def test_memory_is_read_in_pages(tmp_path: Path) -> None:
    """The second number is the resident set (proc_pid_statm(5))."""
    statm = tmp_path / "statm"
    statm.write_text("9000 250 100 1 0 800 0\n")
    (_, (metric, labels, number)) = read_usage(statm)
    assert (metric, labels, number) == (WORKER_MEMORY, (), 250 * os.sysconf("SC_PAGE_SIZE"))


def test_without_proc_only_time_is_told(tmp_path: Path) -> None:
    """As on a Mac."""
    ((metric, _, seconds),) = read_usage(tmp_path / "none")
    assert metric is WORKER_CPU
    assert seconds > 0


@pytest.mark.skipif(not STATM.exists(), reason="there is no /proc here")
def test_this_process_uses_memory() -> None:
    """More than a megabyte, for it runs Python."""
    found = {metric.name: number for metric, _, number in read_usage()}
    assert found[WORKER_MEMORY.name] > 2**20
