"""Parts are closed in the opposite order, also where a later one does not open."""

import asyncio

import pytest

from gateway.stacked import Stacked


class Parts(Stacked):
    """Two parts; the second may fail, or never come."""

    def __init__(self, second: BaseException | None = None) -> None:
        super().__init__()
        self.said: list[str] = []
        self._second = second

    async def _open(self) -> None:
        for name in ("first", "second"):
            if name == "second" and self._second is not None:
                raise self._second
            self.said.append(f"{name} opened")
            self._stack.callback(self.said.append, f"{name} closed")


async def test_in_order() -> None:
    """Opened first, closed last."""
    async with Parts() as parts:
        assert parts.said == ["first opened", "second opened"]
    assert parts.said[2:] == ["second closed", "first closed"]


@pytest.mark.parametrize("failure", [OSError("no"), asyncio.CancelledError()])
async def test_a_part_that_does_not_open(failure: BaseException) -> None:
    """What stands is closed, and the failure told."""
    parts = Parts(failure)
    with pytest.raises(type(failure)):
        await parts.__aenter__()
    assert parts.said == ["first opened", "first closed"]
