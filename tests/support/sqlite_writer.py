"""A process that logs sessions in on a SQLite file, and prints each key once it is answered.

Arguments: the file, the first number, how many.
"""

import asyncio
import sys
from pathlib import Path

from gateway.sessions.model import Session, Subject
from gateway.sessions.sqlite import SqliteStore
from gateway.sessions.token import session_key_of

NOW = 1_800_000_000.0


async def main(path: Path, first: int, count: int) -> None:
    store = SqliteStore(path, lambda: NOW)
    await store.open()
    for number in range(first, first + count):
        key = session_key_of(f"writer-{number}")
        subject = Subject("wechat", "wx1", "user", f"o-{number}")
        session = Session(key, subject, "shop", subject.id, None, None, NOW, NOW + 1000, NOW)
        await store.create(session, b"sealed", 10)
        sys.stdout.write(f"{key}\n")
        sys.stdout.flush()
    await store.close()


asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
