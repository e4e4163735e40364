"""Who gets which core."""

import pytest

from bench.machine import Cores, share


@pytest.mark.parametrize(
    ("cores", "expected"),
    [
        pytest.param(
            [0, 1], Cores(0, 1, 1, (0, 1), (0, 1)), id="load and service share the second"
        ),
        pytest.param([0, 1, 2], Cores(0, 2, 1, (0, 1), (0, 1)), id="the service has its own"),
        pytest.param(
            [4, 5, 6, 7, 8], Cores(4, 6, 5, (4, 7), (5,)), id="two workers have a core each"
        ),
    ],
)
def test_cores_are_shared_out(cores: list[int], expected: Cores) -> None:
    """The proxy's core is nobody else's."""
    assert share(cores) == expected


def test_one_core_is_too_few() -> None:
    """The load would be measured as well."""
    with pytest.raises(SystemExit, match="two cores"):
        share([0])


def test_the_cores_in_use_are_counted_once() -> None:
    """For the report, which says who shares."""
    assert Cores(0, 1, 1, (0, 1), (0, 1)).count == 2
    assert Cores(0, 2, 1, (0, 3), (1,)).count == 4
