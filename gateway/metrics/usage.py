"""What a worker uses of its machine: processor time and memory."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from gateway.metrics.catalogue import WORKER_CPU, WORKER_MEMORY
from gateway.metrics.counts import Sample

STATM = Path("/proc/self/statm")


def read_usage(statm: Path = STATM) -> Iterator[Sample]:
    """Read this process's processor time, and its memory where there is a /proc."""
    yield WORKER_CPU, (), time.process_time()
    try:
        pages = int(statm.read_text().split()[1])  # the resident set, proc_pid_statm(5)
    except OSError:
        return
    yield WORKER_MEMORY, (), pages * os.sysconf("SC_PAGE_SIZE")
