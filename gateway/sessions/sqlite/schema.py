"""The schema of the SQLite file, and the steps that bring an older file to it.

Decides: which tables there are, and which versions can be brought up. It must not know who reads or
writes them, or where the file lies.
"""

import sqlite3

SCHEMA_VERSION = 3

# `seq` counts endings in the order of their commits, and AUTOINCREMENT gives no number twice, also
# after the newest was purged: who has seen one asks for those above it.
_TOMBSTONES = (
    """CREATE TABLE tombstones (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, reason TEXT NOT NULL,
        expires_at REAL NOT NULL
    )""",
    "CREATE INDEX tombstones_by_expiry ON tombstones (expires_at)",
)
# Numbered as the tombstones are, and only for being told: they are purged after a while.
_RENEWALS = (
    """CREATE TABLE renewals (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, successor TEXT NOT NULL,
        expires_at REAL NOT NULL
    )""",
    "CREATE INDEX renewals_by_expiry ON renewals (expires_at)",
)
# A block for good has no `expires_at`. Subjects and notes stand under names that nobody can undo.
_BESIDE_SESSIONS = (
    """CREATE TABLE blocks (
        subject_key TEXT PRIMARY KEY, reason TEXT NOT NULL, expires_at REAL
    ) WITHOUT ROWID""",
    "CREATE INDEX blocks_by_expiry ON blocks (expires_at)",
    """CREATE TABLE notes (
        name TEXT PRIMARY KEY, value BLOB NOT NULL, expires_at REAL NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX notes_by_expiry ON notes (expires_at)",
    """CREATE TABLE sealing_keys (
        key_id TEXT PRIMARY KEY, expires_at REAL NOT NULL
    ) WITHOUT ROWID""",
)
# `origin` is NULL where it is the session's own key: most sessions are never renewed, and a million
# of them need no second copy.
_SCHEMA = (
    """CREATE TABLE sessions (
        key TEXT PRIMARY KEY, platform TEXT NOT NULL, app_id TEXT NOT NULL, kind TEXT NOT NULL,
        subject_id TEXT NOT NULL, app TEXT NOT NULL, openid TEXT, unionid TEXT,
        anonymous_openid TEXT, user_id TEXT, created_at REAL NOT NULL, expires_at REAL NOT NULL,
        last_used_at REAL NOT NULL, origin TEXT, successor TEXT, sealed_successor BLOB
    ) WITHOUT ROWID""",
    "CREATE INDEX sessions_by_subject ON sessions (subject_id, app_id, platform, kind)",
    "CREATE INDEX sessions_by_expiry ON sessions (expires_at)",
    *_TOMBSTONES,
    *_RENEWALS,
    """CREATE TABLE session_keys (
        id INTEGER PRIMARY KEY AUTOINCREMENT, subject_key TEXT NOT NULL, sealed BLOB NOT NULL,
        created_at REAL NOT NULL, expires_at REAL NOT NULL
    )""",
    "CREATE INDEX session_keys_by_subject ON session_keys (subject_key)",
    "CREATE INDEX session_keys_by_expiry ON session_keys (expires_at)",
    *_BESIDE_SESSIONS,
)

# From each version to the next; an older gateway that still runs on the file goes on meanwhile.
_STEPS = {
    1: (
        "ALTER TABLE tombstones RENAME TO tombstones_1",
        "DROP INDEX tombstones_by_expiry",
        *_TOMBSTONES,
        """INSERT INTO tombstones (key, reason, expires_at)
        SELECT key, reason, expires_at FROM tombstones_1""",
        "DROP TABLE tombstones_1",
    ),
    2: (
        "ALTER TABLE sessions ADD COLUMN origin TEXT",
        "ALTER TABLE sessions ADD COLUMN successor TEXT",
        "ALTER TABLE sessions ADD COLUMN sealed_successor BLOB",
        *_RENEWALS,
        *_BESIDE_SESSIONS,
    ),
}


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring a new or older file to `SCHEMA_VERSION`, within the caller's transaction.

    Raises: sqlite3.Error; a newer gateway's file is refused in words for whoever starts this one.
    """
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > SCHEMA_VERSION:
        raise sqlite3.DatabaseError(
            f"the file has schema {found}, this gateway knows {SCHEMA_VERSION}: "
            "run the newer gateway, or name another file"
        )
    for statement in _statements_from(found):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


def _statements_from(found: int) -> tuple[str, ...]:
    if found == 0:
        return _SCHEMA
    return tuple(text for version in range(found, SCHEMA_VERSION) for text in _STEPS[version])
