"""A store whose calls are counted, and with them the sessions that begin and end here.

It decides nothing: every call goes on as it came, and every answer comes back as it is.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NoReturn

from gateway.errors import GatewayError
from gateway.metrics.catalogue import SESSIONS_CREATED, SESSIONS_ENDED, STORE_CALLS
from gateway.metrics.counts import Counts
from gateway.sessions.model import Session, Subject
from gateway.sessions.store import (
    BLOCKED,
    Block,
    Listener,
    Page,
    SealedKey,
    SessionStore,
    Tombstone,
    Wanted,
)

PUSHED_OUT = "pushed_out"
"""Why the oldest of a subject's too many sessions end."""


class CountedStore:
    """A store around another one."""

    def __init__(self, store: SessionStore, counts: Counts) -> None:
        self._store = store
        self._counts = counts

    async def open(self) -> None:
        await self._store.open()

    async def open_as_is(self) -> bool:
        return await self._store.open_as_is()

    async def close(self) -> None:
        await self._store.close()

    async def ping(self) -> None:
        with self._call("ping"):
            await self._store.ping()

    async def create(
        self, session: Session, sealed_session_key: bytes | None, max_per_subject: int
    ) -> tuple[str, ...]:
        with self._call("create"):
            pushed_out = await self._store.create(session, sealed_session_key, max_per_subject)
        self._counts.count(SESSIONS_CREATED, session.platform, session.app)
        self._count_ended(PUSHED_OUT, len(pushed_out))
        return pushed_out

    async def get(self, key: str) -> Session | Tombstone | None:
        with self._call("get"):
            return await self._store.get(key)

    async def renew(
        self, key: str, successor: Session, sealed_id: bytes, until: float
    ) -> bytes | None:
        with self._call("renew"):
            return await self._store.renew(key, successor, sealed_id, until)

    async def end(self, key: str, reason: str) -> tuple[str, ...]:
        with self._call("end"):
            ended = await self._store.end(key, reason)
        self._count_ended(reason, len(ended))
        return ended

    async def end_subject(self, subject: Subject, reason: str) -> tuple[str, ...]:
        with self._call("end_subject"):
            ended = await self._store.end_subject(subject, reason)
        self._count_ended(reason, len(ended))
        return ended

    async def block(self, subject: Subject, block: Block) -> tuple[str, ...]:
        with self._call("block"):
            ended = await self._store.block(subject, block)
        self._count_ended(BLOCKED, len(ended))
        return ended

    async def unblock(self, subject: Subject) -> bool:
        with self._call("unblock"):
            return await self._store.unblock(subject)

    async def block_of(self, subject: Subject) -> Block | None:
        with self._call("block_of"):
            return await self._store.block_of(subject)

    async def follow(self, listener: Listener) -> NoReturn:
        with self._call("follow"):
            await self._store.follow(listener)

    async def find(self, wanted: Wanted, limit: int, after: str | None) -> Page:
        with self._call("find"):
            return await self._store.find(wanted, limit, after)

    async def touch(self, last_used_at: Mapping[str, float]) -> None:
        with self._call("touch"):
            await self._store.touch(last_used_at)

    async def session_keys(self, subject: Subject) -> tuple[SealedKey, ...]:
        with self._call("session_keys"):
            return await self._store.session_keys(subject)

    async def purge(self, now: float) -> int:
        with self._call("purge"):
            return await self._store.purge(now)

    async def keep_note(self, name: str, value: bytes, until: float) -> bytes | None:
        with self._call("keep_note"):
            return await self._store.keep_note(name, value, until)

    async def replace_note(self, name: str, old: bytes, new: bytes, until: float) -> bool:
        with self._call("replace_note"):
            return await self._store.replace_note(name, old, new, until)

    async def read_note(self, name: str) -> bytes | None:
        with self._call("read_note"):
            return await self._store.read_note(name)

    async def take_note(self, name: str) -> bytes | None:
        with self._call("take_note"):
            return await self._store.take_note(name)

    async def note_sealing_key(self, key_id: str, until: float) -> None:
        with self._call("note_sealing_key"):
            await self._store.note_sealing_key(key_id, until)

    async def sealing_keys(self) -> Mapping[str, float]:
        with self._call("sealing_keys"):
            return await self._store.sealing_keys()

    async def forget_sealing_key(self, key_id: str) -> None:
        with self._call("forget_sealing_key"):
            await self._store.forget_sealing_key(key_id)

    @contextmanager
    def _call(self, name: str) -> Iterator[None]:
        """Count a call that comes to its end; one that was cancelled says nothing of the store."""
        try:
            yield
        except GatewayError as error:
            self._counts.count(STORE_CALLS, name, error.code)
            raise
        self._counts.count(STORE_CALLS, name, "ok")

    def _count_ended(self, reason: str, number: int) -> None:
        if number:
            self._counts.count(SESSIONS_ENDED, reason, by=number)
