"""The stores that are measured are real, empty and tell their size."""

from pathlib import Path

import pytest

from bench.machine import usable_cores
from bench.stores.backends import BACKENDS
from bench.stores.filling import fill


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_grows_with_what_is_kept(name: str, tmp_path: Path) -> None:
    """By some hundred bytes a session, and by some thousand at most."""
    with BACKENDS[name](tmp_path, usable_cores()[0]) as backend:
        fill(backend.url, 200)
        assert 200 * 200 < backend.size_bytes() < 200 * 5000
