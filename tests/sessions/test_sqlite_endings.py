"""Following the tombstones: in order, none twice, none missed, however late a poll comes."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.sessions import sqlite_endings
from gateway.sessions.sqlite_endings import Told as Answer
from gateway.sessions.sqlite_endings import follow
from gateway.sessions.sqlite_file import prepare
from tests.support.endings import Told


class Reader:
    """Reads a real file; the test acts before each poll and stops after the last."""

    def __init__(self, connection: sqlite3.Connection, *acts: Callable[[], object]) -> None:
        self._connection = connection
        self._acts = list(acts)

    async def read(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        if not self._acts:
            raise asyncio.CancelledError
        self._acts.pop(0)()
        return work(self._connection)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A prepared file."""
    path = tmp_path / "gateway.db"
    prepare(path)
    return path


async def follow_through(
    path: Path, monkeypatch: pytest.MonkeyPatch, *steps: str
) -> tuple[Told, list[int]]:
    """Play the steps, one before each poll: `+a` ends `a`, `-a` purges it; the first is joining.

    Returns what was told, and how many endings were known at each word of being up to date.
    """
    monkeypatch.setattr(sqlite_endings, "BEAT_S", 0)
    told = Told()
    known: list[int] = []
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:

        def act(step: str) -> None:
            known.append(len(told.keys))
            for key in step.split():
                if key.startswith("+"):
                    insert = "INSERT INTO tombstones (key, reason, expires_at) VALUES (?, 'x', 0)"
                    connection.execute(insert, (key[1:],))
                else:
                    connection.execute("DELETE FROM tombstones WHERE key = ?", (key[1:],))

        reader = Reader(connection, *(lambda step=step: act(step) for step in steps))
        with pytest.raises(asyncio.CancelledError):
            await follow(reader.read, told)
    return told, known


@pytest.mark.parametrize(
    ("steps", "keys", "reason"),
    [
        (("", "", ""), [], "a new file"),
        (("+a", "", ""), [], "an ending before joining"),
        (("", "+a", "", "+b +c", ""), ["a", "b", "c"], "each once, in order"),
        (("+a", "-a", "+b", "-b +c"), ["b", "c"], "numbers are not given again after a purge"),
        (("+a", "-a +b", ""), ["b"], "purged between joining and the first poll"),
        (("", "+a +b +c +d +e", "", "", ""), ["a", "b", "c", "d", "e"], "more than one read takes"),
    ],
)
async def test_each_ending_is_told_once(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    steps: tuple[str, ...],
    keys: list[str],
    reason: str,
) -> None:
    """Only what ended after joining is told, in the order of the commits."""
    monkeypatch.setattr(sqlite_endings, "ROWS", 2)
    told, _ = await follow_through(path, monkeypatch, *steps)
    assert told.keys == keys, reason


async def test_up_to_date_only_at_the_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While more endings wait to be read, nobody is told that all were."""
    monkeypatch.setattr(sqlite_endings, "ROWS", 2)
    told, known = await follow_through(path, monkeypatch, "", "+a +b +c +d +e", "", "")
    assert known == [0, 0, 2, 4]
    assert len(told.ages_s) == 1
    assert told.ages_s[0] >= 0


async def test_a_poll_may_fail(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Polls that fail are repeated, and miss nothing; too many in a row end the stretch."""

    def fail() -> None:
        raise GatewayError("store_unavailable")

    monkeypatch.setattr(sqlite_endings, "BEAT_S", 0)
    told = Told()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        insert = "INSERT INTO tombstones (key, reason, expires_at) VALUES ('a', 'x', 0)"
        end = partial(connection.execute, insert)
        acts: list[Callable[[], object]] = [str, *[fail] * 3, end, *[fail] * 3, str, *[fail] * 4]
        with pytest.raises(GatewayError):
            await follow(Reader(connection, *acts).read, told)
    assert told.keys == ["a"]
    assert len(told.ages_s) == 2
