"""Following endings and renewals: in order, none twice, none missed, however late a poll comes."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.sessions.sqlite import endings as sqlite_endings
from gateway.sessions.sqlite.endings import News, follow
from gateway.sessions.sqlite.file import prepare
from tests.support.endings import Told


class Reader:
    """Reads a real file; the test acts before each poll and stops after the last."""

    def __init__(self, connection: sqlite3.Connection, *acts: Callable[[], object]) -> None:
        self._connection = connection
        self._acts = list(acts)

    async def read(self, work: Callable[[sqlite3.Connection], News]) -> News:
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


def play(connection: sqlite3.Connection, word: str) -> None:
    """One word of a step."""
    key, is_renewal, successor = word.lstrip("+-").partition(">")
    table, columns = ("renewals", "successor") if is_renewal else ("tombstones", "reason")
    if word.startswith("-"):
        connection.execute(f"DELETE FROM {table} WHERE key = ?", (key,))  # noqa: S608 - our names
    else:
        insert = f"INSERT INTO {table} (key, {columns}, expires_at) VALUES (?, ?, 0)"  # noqa: S608 - our names
        connection.execute(insert, (key, successor or "x"))


async def follow_through(
    path: Path, monkeypatch: pytest.MonkeyPatch, *steps: str
) -> tuple[Told, list[int]]:
    """Play the steps, one before each poll; the first is joining.

    `+a` ends `a`, `-a` purges that; `a>b` renews `a`, `-a>` purges that. Returns what was told, and
    how many endings were known at each word of being up to date.
    """
    monkeypatch.setattr(sqlite_endings, "BEAT_S", 0)
    told = Told()
    known: list[int] = []
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:

        def act(step: str) -> None:
            known.append(len(told.keys))
            for word in step.split():
                play(connection, word)

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


@pytest.mark.parametrize(
    ("steps", "renewals", "reason"),
    [
        (("a>b", "", ""), [], "a renewal before joining"),
        (("", "a>b", "", "b>c d>e", ""), ["a>b", "b>c", "d>e"], "each once, in order"),
        (("a>b", "-a> c>d", "-c> e>f", ""), ["c>d", "e>f"], "purged once they were told"),
        (("", "a>1 b>2 c>3 d>4 e>5", "", "", ""), ["a>1", "b>2", "c>3", "d>4", "e>5"], "ROWS"),
    ],
)
async def test_each_renewal_is_told_once(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    steps: tuple[str, ...],
    renewals: list[str],
    reason: str,
) -> None:
    """Only what was renewed after joining is told, in the order of the commits."""
    monkeypatch.setattr(sqlite_endings, "ROWS", 2)
    told, _ = await follow_through(path, monkeypatch, *steps)
    assert [f"{key}>{successor}" for key, successor in told.renewals] == renewals, reason
    assert told.keys == []


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        (("", "a>b", "c>d -c>"), "all that was new"),
        (("", "a>b", "c>d e>f -c>"), "the first of what was new"),
        (("", "a>b", "c>d e>f -e>"), "the last of what was new"),
        (("", "a>b", "c>d e>f g>h -e>"), "one between, beyond one read"),
        (("a>b", "-a> c>d -c>"), "before the first poll"),
    ],
)
async def test_missed_renewals(
    path: Path, monkeypatch: pytest.MonkeyPatch, steps: tuple[str, ...], reason: str
) -> None:
    """Where renewals were purged untold, the stretch ends: nobody is told that all was."""
    monkeypatch.setattr(sqlite_endings, "ROWS", 2)
    with pytest.raises(GatewayError) as caught:
        await follow_through(path, monkeypatch, *steps, "")
    assert caught.value.code == "store_unavailable", reason


class Order:
    """A listener that keeps the order of what it is told."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def ended(self, keys: Iterable[str]) -> None:
        self.words += (f"+{key}" for key in keys)

    def renewed(self, key: str, successor: str) -> None:
        self.words.append(f"{key}>{successor}")

    def heard(self, age_s: float) -> None:
        """Only the words count here."""


async def test_renewals_are_told_before_endings(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was renewed and then ended between two polls is told in that order."""
    monkeypatch.setattr(sqlite_endings, "BEAT_S", 0)
    order = Order()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:

        def act() -> None:
            for word in ("a>b", "+a", "+b"):
                play(connection, word)

        with pytest.raises(asyncio.CancelledError):
            await follow(Reader(connection, str, act).read, order)
    assert order.words == ["a>b", "+a", "+b"]


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
