"""Reading what wrk says."""

import pytest

from bench.load import LOADS, read_wrk

RESULT = '{"requests":84000,"duration_us":4000000,"bytes":8400,"refused":3,"broken":4}'
OUTPUT = f"""Running 4s test @ http://127.0.0.1:1/bench/small
  1 threads and 64 connections
Requests/sec:  21000.00
bench {RESULT}
"""


def test_the_line_of_our_script_is_read() -> None:
    """Whatever wrk prints around it."""
    found = read_wrk(OUTPUT)
    assert (found.requests, found.duration_s, found.bytes_read) == (84000, 4.0, 8400)
    assert (found.refused, found.broken) == (3, 4)
    assert found.per_s == 21000.0


def test_without_the_line_the_error_tells_what_wrk_said() -> None:
    """Such as that nobody listens."""
    with pytest.raises(ValueError, match="unable to connect"):
        read_wrk("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_loads_have_names_of_their_own() -> None:
    """They are asked for by name."""
    assert len({load.name for load in LOADS}) == len(LOADS)
