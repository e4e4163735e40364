"""A process that logs sessions in on a SQLite file, and says what was answered, line by line.

Arguments: the file, the first number, how many. It says `created <key>`; each fifth login renews
and ends the one before it, and says `renewed <key> <successor>` and `ended <key>`.
"""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from gateway.sessions.model import Session, Subject
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.token import session_key_of

NOW = 1_800_000_000.0


def make_session(number: int) -> Session:
    key = session_key_of(f"writer-{number}")
    subject = Subject("wechat", "wx1", "user", f"o-{number}")
    return Session(key, subject, "shop", subject.id, None, None, NOW, NOW + 1000, NOW)


def say(*words: str) -> None:
    sys.stdout.write(f"{' '.join(words)}\n")
    sys.stdout.flush()


async def renew_and_end(store: SqliteStore, session: Session) -> None:
    successor = replace(session, key=session_key_of(f"successor of {session.key}"))
    await store.renew(session.key, successor, b"sealed", NOW + 60)
    say("renewed", session.key, successor.key)
    for key in await store.end(session.key, "logout"):
        say("ended", key)


async def main(path: Path, first: int, how_many: int) -> None:
    store = SqliteStore(path, lambda: NOW)
    await store.open()
    for number in range(first, first + how_many):
        session = make_session(number)
        await store.create(session, b"sealed", 10)
        say("created", session.key)
        if number % 5 == 4:
            await renew_and_end(store, make_session(number - 1))
    await store.close()


asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
