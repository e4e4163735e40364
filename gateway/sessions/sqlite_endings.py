"""Hearing of endings from SQLite: the tombstones, polled in the order of their commits.

It must not know threads or files: it is given a way to read. A tombstone is written in the commit
that ends its session and stays until its token would have expired, so a poll that comes late, or
fails to come for an hour, still misses nothing.
"""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NoReturn

from gateway.errors import GatewayError
from gateway.sessions.store import BEAT_S, Listener

ROWS = 1000
"""Endings read at once."""

_FAILURES = 4
"""Polls that may fail in a row: the next that comes through has missed nothing."""

Told = tuple[int, tuple[str, ...]]
"""The number of the last ending seen, and the keys read."""
Read = Callable[[Callable[[sqlite3.Connection], Told]], Awaitable[Told]]


async def follow(read: Read, listener: Listener) -> NoReturn:
    """Poll every `BEAT_S`, and tell `listener`.

    Raises: GatewayError store_unavailable, as `read` does again and again.
    """
    seen, _ = await read(_last)
    failures = 0
    while True:
        begun_at = time.monotonic()
        try:
            seen, keys = await read(partial(_above, seen))
        except GatewayError:
            failures += 1
            if failures == _FAILURES:
                raise
            await asyncio.sleep(BEAT_S)
            continue
        failures = 0
        listener.ended(keys)
        if len(keys) < ROWS:
            listener.heard(time.monotonic() - begun_at)
            await asyncio.sleep(BEAT_S)


def _last(connection: sqlite3.Connection) -> Told:
    # Not the newest row: that may have been purged, and its number is never given again.
    query = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'tombstones'"
    return connection.execute(query).fetchone()[0], ()


def _above(seen: int, connection: sqlite3.Connection) -> Told:
    query = "SELECT seq, key FROM tombstones WHERE seq > ? ORDER BY seq LIMIT ?"
    rows = connection.execute(query, (seen, ROWS)).fetchall()
    return (rows[-1][0] if rows else seen), tuple(key for _, key in rows)
