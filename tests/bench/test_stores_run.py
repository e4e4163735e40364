"""A small run of the whole part, with real gateways."""

import os
from collections.abc import Callable, Iterator

import pytest

from bench.machine import find_program, share, usable_cores
from bench.stores.run import Sizes, run_stores

TINY = Sizes(rounds=1, logins=5, look_ups=10, requests=20, revocations=2, sessions=50)


@pytest.fixture
def affinity() -> Iterator[None]:
    """Leave this process where it may run."""
    before = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.skipif(find_program("taskset") is None, reason="no taskset: programs are not pinned")
@pytest.mark.skipif(len(usable_cores()) < 2, reason="one core: nothing is measured")
def test_everything_is_measured_on_each_store(affinity: None) -> None:
    """No figure is judged here; that each comes is enough."""

    def attempt(name: str, part: Callable[[], None]) -> None:
        part()

    for one in run_stores(share(usable_cores()), TINY, attempt):
        assert one.logins is not None
        assert one.look_ups is not None
        assert one.room is not None
        assert one.room.sessions == 50
        assert one.hot_path is not None
        assert "get" not in one.hot_path.calls
        assert one.revocation is not None
        assert len(one.revocation.closed.times_s) == 2
