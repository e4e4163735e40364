"""Which store a `session.store` setting means. It must not know what is kept in it."""

from pathlib import Path

from gateway.clock import Clock
from gateway.sessions.store import SessionStore


def open_store(url: str, clock: Clock) -> SessionStore:
    """Build the store a URL names; it connects in its own `open()`.

    `sqlite:/path/to/file`, `redis://…`, `rediss://…`. Raises: ValueError for anything else; the URL
    is not quoted, since it may hold a password.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite" and rest:
        from gateway.sessions.sqlite import SqliteStore  # only the store in use is loaded

        return SqliteStore(Path(rest), clock)
    if scheme in {"redis", "rediss"} and rest.startswith("//"):
        from gateway.sessions.redis import RedisStore  # only the store in use is loaded

        return RedisStore(url, clock)
    raise ValueError("a session store is sqlite:<path>, redis://<host> or rediss://<host>")
