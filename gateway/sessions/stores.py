"""Which store a `session.store` setting means. It must not know what is kept in it."""

from pathlib import Path

from gateway.clock import Clock
from gateway.sessions.store import SessionStore


def open_store(url: str, clock: Clock) -> SessionStore:
    """Build the store a URL names; it connects in its own `open()`.

    `sqlite:/path/to/file`, or a URL of Redis (`gateway.settings.redis_url`). Raises: ValueError for
    anything else; the URL is not quoted, since it may hold a password.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite" and rest:
        from gateway.sessions.sqlite.store import SqliteStore  # only the store in use is loaded

        return SqliteStore(Path(rest), clock)
    if scheme.startswith("redis") and rest:
        from gateway.sessions.redis.links import open_link
        from gateway.sessions.redis.store import RedisStore  # only the store in use is loaded

        return RedisStore(open_link(url), clock)
    raise ValueError("a session store is sqlite:<path> or a URL of Redis, such as redis://<host>")
