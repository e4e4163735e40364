"""The marker: placed once, and looked at until it is another."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest

from gateway.sessions.redis import marker as marker_module
from gateway.sessions.redis.marker import TAGS, LostDataError, Marker, marker_name

NAMES = [marker_name(tag) for tag in "AB"]


class Server:
    """What a Redis does with GET, and SET with NX."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.keeps = True
        self.hangs = False
        self.asked_in_vain = 0

    async def read(self, names: Sequence[str]) -> Sequence[object]:
        if self.hangs:
            self.asked_in_vain += 1
            await asyncio.Event().wait()
        return [self.values.get(name) for name in names]

    async def place(self, name: str, value: str) -> None:
        if self.keeps:
            self.values.setdefault(name, value.encode())

    def marker(self) -> Marker:
        return Marker(NAMES, self.read, self.place)


async def test_it_is_placed_once() -> None:
    """Who comes later finds what the first has placed."""
    server = Server()
    await server.marker().begin()
    placed = dict(server.values)
    assert set(placed) == set(NAMES)
    assert placed[NAMES[0]] != placed[NAMES[1]]
    await server.marker().begin()
    assert server.values == placed


@pytest.mark.parametrize("value", [None, b"another"])
async def test_a_change_is_told(value: bytes | None) -> None:
    """One that is missing or another ends the watch; as long as all are there it goes on."""
    server = Server()
    marker = server.marker()
    await marker.begin()
    watch = asyncio.create_task(marker.watch())
    with suppress(TimeoutError):
        async with asyncio.timeout(0.7):
            await asyncio.shield(watch)
    assert not watch.done()
    if value is None:
        del server.values[NAMES[1]]
    else:
        server.values[NAMES[1]] = value
    with pytest.raises(LostDataError):
        await watch


async def test_a_look_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends the watch: who is not answered knows nothing."""
    monkeypatch.setattr(marker_module, "STORE_TIMEOUT_S", 0.05)
    server = Server()
    marker = server.marker()
    await marker.begin()
    server.hangs = True
    async with asyncio.timeout(5):
        with pytest.raises(TimeoutError):
            await marker.watch()
    assert server.asked_in_vain == 1


async def test_one_that_does_not_stay() -> None:
    """A server that keeps nothing is no store."""
    server = Server()
    server.keeps = False
    with pytest.raises(LostDataError):
        await server.marker().begin()


def test_every_tag_has_one() -> None:
    """Keys begin with one of 64 characters."""
    assert len(set(TAGS)) == 64
    assert marker_name("A") == "gw:{A}:marker"
