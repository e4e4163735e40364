"""What SQLite keeps beside sessions: notes, blocks, which sealing keys are needed; and purging.

Decides: what each statement reads and writes within its caller's transaction. It must not know
threads, files, clocks, or what a note says. Whatever is kept lasts while `expires_at >= now`.
"""

import sqlite3
from collections.abc import Mapping

from gateway.sessions.model import Subject
from gateway.sessions.sqlite.sessions import read_blob
from gateway.sessions.store import RENEWED_KEPT_S, Block, subject_key_of

PURGE_ROWS = 1000
"""Removed at once from each table: a few milliseconds of the write lock."""

_PURGED = (
    ("tombstones", "key"),
    ("renewals", "seq"),
    ("session_keys", "id"),
    ("blocks", "subject_key"),
    ("notes", "name"),
    ("sealing_keys", "key_id"),
)


# Notes


def read_note(connection: sqlite3.Connection, name: str, now: float) -> bytes | None:
    row = connection.execute(
        "SELECT value FROM notes WHERE name = ? AND expires_at >= ?", (name, now)
    ).fetchone()
    return None if row is None else read_blob(row[0])


def keep_note(
    connection: sqlite3.Connection, name: str, value: bytes, until: float, now: float
) -> bytes | None:
    """Keep a note where none lives; return the one that does."""
    living = read_note(connection, name, now)
    if living is None:
        _write_note(connection, name, value, until)
    return living


def replace_note(
    connection: sqlite3.Connection, name: str, old: bytes, new: tuple[bytes, float], now: float
) -> bool:
    """Replace a living note whose value is `old` by a new value and its end."""
    if read_note(connection, name, now) != old:
        return False
    _write_note(connection, name, *new)
    return True


def take_note(connection: sqlite3.Connection, name: str, now: float) -> bytes | None:
    living = read_note(connection, name, now)
    connection.execute("DELETE FROM notes WHERE name = ?", (name,))
    return living


def _write_note(connection: sqlite3.Connection, name: str, value: bytes, until: float) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO notes (name, value, expires_at) VALUES (?, ?, ?)",
        (name, value, until),
    )


# Blocks


def block(connection: sqlite3.Connection, subject: Subject, wanted: Block) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO blocks (subject_key, reason, expires_at) VALUES (?, ?, ?)",
        (subject_key_of(subject), wanted.reason, wanted.until),
    )


def unblock(connection: sqlite3.Connection, subject: Subject, now: float) -> bool:
    lasted = block_of(connection, subject, now) is not None
    connection.execute("DELETE FROM blocks WHERE subject_key = ?", (subject_key_of(subject),))
    return lasted


def block_of(connection: sqlite3.Connection, subject: Subject, now: float) -> Block | None:
    row = connection.execute(
        "SELECT reason, expires_at FROM blocks "
        "WHERE subject_key = ? AND (expires_at IS NULL OR expires_at >= ?)",
        (subject_key_of(subject), now),
    ).fetchone()
    return None if row is None else Block(*row)


# Sealing keys


def note_sealing_key(connection: sqlite3.Connection, key_id: str, until: float) -> None:
    connection.execute(
        "INSERT INTO sealing_keys (key_id, expires_at) VALUES (?, ?) ON CONFLICT (key_id) "
        "DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)",
        (key_id, until),
    )


def sealing_keys(connection: sqlite3.Connection, now: float) -> Mapping[str, float]:
    query = "SELECT key_id, expires_at FROM sealing_keys WHERE expires_at >= ?"
    return dict(connection.execute(query, (now,)).fetchall())


def forget_sealing_key(connection: sqlite3.Connection, key_id: str) -> None:
    connection.execute("DELETE FROM sealing_keys WHERE key_id = ?", (key_id,))


# All tables


def purge(connection: sqlite3.Connection, now: float) -> int:
    """Remove `PURGE_ROWS` of each table that have expired; a block for good never has.

    A renewed session's row stays `RENEWED_KEPT_S` longer.
    """
    gone = connection.execute(
        "DELETE FROM sessions WHERE key IN (SELECT key FROM sessions "
        "WHERE expires_at < ? AND (successor IS NULL OR expires_at < ?) LIMIT ?)",
        (now, now - RENEWED_KEPT_S, PURGE_ROWS),
    ).rowcount
    for table, key in _PURGED:
        gone += connection.execute(
            f"DELETE FROM {table} WHERE {key} IN "  # noqa: S608 - our own names
            f"(SELECT {key} FROM {table} WHERE expires_at < ? LIMIT ?)",
            (now, PURGE_ROWS),
        ).rowcount
    return gone
