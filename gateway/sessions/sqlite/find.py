"""Looking through the sessions in SQLite, page by page.

Decides: how much is looked at for one page. It must not know threads, files or clocks.
"""

import sqlite3

from gateway.sessions.sqlite.sessions import COLUMNS, session_of
from gateway.sessions.store import Page, Wanted

SCAN_ROWS = 20_000
"""Looked at for one page: some 20 ms of the reading thread."""


def find(
    connection: sqlite3.Connection, wanted: Wanted, limit: int, after: str | None, now: float
) -> Page:
    """Return at most `limit` living sessions whose keys are above `after`."""
    look = _find_everywhere if wanted.openid is None else _find_openid
    return look(connection, wanted, limit, after or "", now)


def _find_openid(
    connection: sqlite3.Connection, wanted: Wanted, limit: int, after: str, now: float
) -> Page:
    """By the index: a user's openid is the id of the subject."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM sessions WHERE subject_id = ? AND kind = 'user' "  # noqa: S608 - constants
        "AND key > ? AND expires_at >= ? ORDER BY key",
        (wanted.openid, after, now),
    )
    found = [session for session in map(session_of, rows) if wanted.fits(session)]
    return Page(tuple(found[:limit]), found[limit - 1].key if len(found) > limit else None)


def _find_everywhere(
    connection: sqlite3.Connection, wanted: Wanted, limit: int, after: str, now: float
) -> Page:
    """Along the keys, `SCAN_ROWS` of them at most, so that lookups do not wait behind it."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM (SELECT * FROM sessions WHERE key > ? ORDER BY key LIMIT ?) "  # noqa: S608 - constants
        "WHERE platform = coalesce(?, platform) AND app = coalesce(?, app) AND expires_at >= ? "
        "ORDER BY key LIMIT ?",
        (after, SCAN_ROWS, wanted.platform, wanted.app, now, limit + 1),
    ).fetchall()
    found = tuple(map(session_of, rows[:limit]))
    if len(rows) > limit:
        return Page(found, found[-1].key)
    last = connection.execute(
        "SELECT key FROM sessions WHERE key > ? ORDER BY key LIMIT 1 OFFSET ?",
        (after, SCAN_ROWS - 1),
    ).fetchone()
    return Page(found, None if last is None else last[0])
