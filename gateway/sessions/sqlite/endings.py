"""Hearing of endings and renewals from SQLite, polled in the order of their commits.

It must not know threads or files: it is given a way to read. A tombstone is written in the commit
that ends its session and stays until its token would have expired, so a poll that comes late, or
fails to come for an hour, still misses no ending. Renewals are kept for a while only; but their
numbers have no holes, so who missed one notices.
"""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from gateway.errors import GatewayError
from gateway.sessions.store import BEAT_S, Listener

ROWS = 1000
"""Endings, and renewals, read at once."""

_FAILURES = 4
"""Polls that may fail in a row: the next that comes through has missed nothing."""


@dataclass(frozen=True, slots=True)
class News:
    """What one poll read: the numbers of the last ending and renewal seen, and the news itself."""

    last_ending: int
    last_renewal: int
    ended: tuple[str, ...] = ()
    renewed: tuple[tuple[str, str], ...] = ()
    was_missed: bool = False

    @property
    def is_all(self) -> bool:
        return len(self.ended) < ROWS and len(self.renewed) < ROWS


Read = Callable[[Callable[[sqlite3.Connection], News]], Awaitable[News]]


async def follow(read: Read, listener: Listener) -> NoReturn:
    """Poll every `BEAT_S`, and tell `listener`.

    Raises: GatewayError store_unavailable, as `read` does again and again, or where renewals were
    purged before they could be told.
    """
    seen = await read(_last)
    failures = 0
    while True:
        begun_at = time.monotonic()
        try:
            seen = await read(partial(_above, seen))
        except GatewayError:
            failures += 1
            if failures == _FAILURES:
                raise
            await asyncio.sleep(BEAT_S)
            continue
        failures = 0
        _tell(seen, listener)
        if seen.is_all:
            listener.heard(time.monotonic() - begun_at)
            await asyncio.sleep(BEAT_S)


def _tell(news: News, listener: Listener) -> None:
    if news.was_missed:
        raise GatewayError("store_unavailable", "renewals were purged before they were told")
    for key, successor in news.renewed:  # first: what was renewed may have ended since
        listener.renewed(key, successor)
    listener.ended(news.ended)


def _last(connection: sqlite3.Connection) -> News:
    return News(_number(connection, "tombstones"), _number(connection, "renewals"))


def _above(seen: News, connection: sqlite3.Connection) -> News:
    # Endings first: whatever was renewed and then ended is read as renewed, too.
    query = "SELECT seq, key FROM tombstones WHERE seq > ? ORDER BY seq LIMIT ?"
    endings = connection.execute(query, (seen.last_ending, ROWS)).fetchall()
    last_renewal = _number(connection, "renewals")
    query = "SELECT seq, key, successor FROM renewals WHERE seq > ? ORDER BY seq LIMIT ?"
    renewals = connection.execute(query, (seen.last_renewal, ROWS)).fetchall()
    read_to = seen.last_renewal + len(renewals)  # where there are no holes
    newest = renewals[-1][0] if renewals else seen.last_renewal
    return News(
        endings[-1][0] if endings else seen.last_ending,
        newest,
        tuple(key for _, key in endings),
        tuple((key, successor) for _, key, successor in renewals),
        was_missed=newest != read_to or (len(renewals) < ROWS and last_renewal > read_to),
    )


def _number(connection: sqlite3.Connection, table: str) -> int:
    """The last number given. Not the newest row's: that may have been purged."""
    query = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?"
    number: int = connection.execute(query, (table,)).fetchone()[0]
    return number
