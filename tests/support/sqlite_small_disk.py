"""A process that logs sessions in on a SQLite file until it may not write any more, and then may.

Argument: the file. It says `created <key>` for each login, then `refused <code>`, `read` where a
look-up went on meanwhile, and `created <key>` once there is room again.
"""

import asyncio
import resource
import sys
from pathlib import Path

from gateway.errors import GatewayError
from gateway.sessions.model import Session, Subject
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.token import session_key_of

NOW = 1_800_000_000.0
FILE_BYTES = 400_000  # no file may grow past this: neither the database nor its log
ENOUGH = 1000


def allow(file_bytes: int) -> None:
    """Python ignores SIGXFSZ, so a write beyond it fails with EFBIG."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, hard))


async def create(store: SqliteStore, number: int) -> str:
    key = session_key_of(f"disk-{number}")
    subject = Subject("wechat", "wx1", "user", f"o-{number}")
    session = Session(key, subject, "shop", subject.id, None, None, NOW, NOW + 1000, NOW)
    await store.create(session, b"s" * 1000, 10)
    sys.stdout.write(f"created {key}\n")
    return key


async def fill(store: SqliteStore) -> None:
    allow(FILE_BYTES)
    key = await create(store, 0)
    for number in range(1, ENOUGH):
        try:
            await create(store, number)
        except GatewayError as error:
            sys.stdout.write(f"refused {error.code}\n")
            break
    if isinstance(await store.get(key), Session):
        sys.stdout.write("read\n")


async def main(path: Path) -> None:
    store = SqliteStore(path, lambda: NOW)
    await store.open()
    await fill(store)
    allow(resource.RLIM_INFINITY)
    await create(store, ENOUGH)
    await store.close()


asyncio.run(main(Path(sys.argv[1])))
