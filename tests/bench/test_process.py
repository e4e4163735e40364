"""Programs are started, waited for, measured and stopped."""

import os
import select
import sys
from pathlib import Path

import pytest

from bench.process import (
    NotReadyError,
    Program,
    cpu_s,
    free_port,
    memory_bytes,
    running,
    tree,
    wait_ready,
)

CORES = tuple(sorted(os.sched_getaffinity(0)))[:1]


def test_a_program_is_up_then_gone(tmp_path: Path) -> None:
    """Ready once it answers; measured meanwhile; ended with the block."""
    port, log = free_port(), tmp_path / "log"
    argv = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port))
    with running(Program(argv, CORES), log) as process:
        wait_ready(port, "/", {}, process, log)
        assert tree(process.pid) == [process.pid]
        assert cpu_s([process.pid]) > 0
        rss, uss = memory_bytes([process.pid])
        assert rss >= uss > 0
    assert process.poll() is not None
    assert cpu_s([process.pid]) == 0.0


def test_a_program_that_ends_early_tells_why(tmp_path: Path) -> None:
    """Its last words stand in the error."""
    log = tmp_path / "log"
    argv = (sys.executable, "-c", "raise SystemExit('no such option')")
    with running(Program(argv, CORES), log) as process:
        process.wait(10)
        with pytest.raises(NotReadyError, match="no such option"):
            wait_ready(free_port(), "/", {}, process, log)


def test_the_environment_is_added_to(tmp_path: Path) -> None:
    """Not replaced."""
    log = tmp_path / "log"
    code = "import os; print(os.environ['BENCH_MARK'], 'PATH' in os.environ)"
    program = Program((sys.executable, "-c", code), CORES, {"BENCH_MARK": "here"})
    with running(program, log) as process:
        process.wait(10)
    assert log.read_text().splitlines()[-1] == "here True"  # coverage may speak first


def test_children_are_counted_and_end_with_their_parent(tmp_path: Path) -> None:
    """Also one whose parent does not end it."""
    log = tmp_path / "log"
    code = (
        "import subprocess, sys, time;"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print('ready', flush=True); time.sleep(60)"
    )
    with running(Program((sys.executable, "-c", code), CORES), log) as process:
        while "ready" not in log.read_text():
            os.sched_yield()
        parent, child = tree(process.pid)
        watched = os.pidfd_open(child)
    assert parent == process.pid
    ended, _, _ = select.select([watched], [], [], 10)
    os.close(watched)
    assert ended
