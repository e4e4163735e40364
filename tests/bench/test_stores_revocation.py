"""A WebSocket's end is taken for a revocation only where it is one."""

import asyncio
import time

import pytest

from bench.stores.revocation import closed_at


async def closed(data: bytes) -> float:
    """What is read from a socket that gets these bytes."""
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return await closed_at(reader)


async def test_a_close_4401_has_its_moment() -> None:
    """With a reason or without."""
    began = time.perf_counter()
    for reason in (b"", b"session ended"):
        at = await closed(bytes((0x88, 2 + len(reason))) + (4401).to_bytes(2, "big") + reason)
        assert began <= at <= time.perf_counter()


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(b"\x88\x02\x03\xe9", ValueError, id="1001: the gateway ends"),
        pytest.param(b"\x81\x02ok", ValueError, id="a message"),
        pytest.param(b"", EOFError, id="cut off"),
        pytest.param(b"\x88\x02\x11", EOFError, id="cut off within"),
    ],
)
async def test_any_other_end_is_an_error(data: bytes, error: type[Exception]) -> None:
    """A gateway that stops would look fast otherwise."""
    with pytest.raises(error):
        await closed(data)
