"""The shared store: Redis 6 or newer (design section 5).

It must not know tokens or keys, nor how Redis is reached: that is its link's. How things are
written there: `redis.records`; what is done in one step: `redis.scripts`. Every record has a time
to live, so that Redis forgets by itself. A call that met a connection which had just died is sent
once more; each may be repeated without harm. What an ending returns when it is said twice are the
keys of the second time, none: everybody has heard of the first by the subscription.
"""

import asyncio
import json
from collections.abc import Mapping
from itertools import groupby
from typing import NoReturn

from redis.exceptions import RedisError

from gateway.clock import Clock
from gateway.sessions.model import Session, Subject
from gateway.sessions.parts import part_of
from gateway.sessions.redis.calls import NONSENSE, redis_call, ttl_ms
from gateway.sessions.redis.link import RedisLink, UnmetError
from gateway.sessions.redis.notes import RedisNotes
from gateway.sessions.redis.records import (
    APPS,
    blocked_name,
    dump_sealed_key,
    dump_session,
    dump_text,
    dump_until,
    keys_name,
    load_block,
    load_record,
    load_sealed_key,
    read_map,
    read_names,
    read_optional,
    read_texts,
    read_truth,
    record_name,
    sessions_name,
)
from gateway.sessions.redis.scripts import (
    BLOCK,
    CREATE,
    END,
    END_SUBJECT,
    RENEW,
    TOUCH,
    UNBLOCK,
    Script,
    Word,
)
from gateway.sessions.redis.search import RedisSearch
from gateway.sessions.store import (
    BLOCKED,
    RENEWED_KEPT_S,
    REVOKED,
    SESSION_KEYS_KEPT,
    Block,
    Listener,
    Page,
    SealedKey,
    Tombstone,
    UnconfirmedError,
    Wanted,
    store_faults,
    subject_blocked,
    subject_key_of,
)

_TOUCHES_AT_ONCE = 16
"""Slots whose last uses are written at once: they leave connections to the requests."""


class RedisStore(RedisNotes):
    """Sessions in Redis, reached by `link`, which it closes. `clock` judges what has expired."""

    def __init__(self, link: RedisLink, clock: Clock) -> None:
        super().__init__(link, clock)
        self._search = RedisSearch(link, clock)

    async def open(self) -> None:
        """Do nothing: connections are made when needed, so Redis may come up after us."""

    async def open_as_is(self) -> bool:
        """Do nothing: whatever is there can be read."""
        return True

    async def close(self) -> None:
        """Close the connections."""
        await self._link.close()

    async def ping(self) -> None:
        async with redis_call():
            await self._link.ping()

    # Logins and renewals

    async def create(
        self, session: Session, sealed_session_key: bytes | None, max_per_subject: int
    ) -> tuple[str, ...]:
        name = record_name(session.key)
        words = self._create_words(session, sealed_session_key, max_per_subject)
        app = json.dumps([session.platform, session.subject.app_id])
        async with redis_call():
            await self._link.send(APPS, ("SADD", APPS, app))  # first: what is kept can be found
            try:
                reply = await CREATE.run(self._link, name, *words, confirm=True)
            except UnmetError:
                await END.run(self._link, name, self._now(), session.key, REVOKED)
                raise
            if reply == b"blocked":
                raise subject_blocked()
            return read_names(reply)

    async def renew(
        self, key: str, successor: Session, sealed_id: bytes, until: float
    ) -> bytes | None:
        """Renew; one that no replica confirms stands, and is `store_unavailable`.

        Its session goes on until `until`, and asked again gives the same successor; until one is
        confirmed, each moves its end on. It is not undone: somebody who asked meanwhile may have
        been given the successor.
        """
        name = record_name(key)
        now = self._clock()
        subject_key = subject_key_of(successor.subject)
        ends: list[Word] = [repr(until), ttl_ms(until + RENEWED_KEPT_S, now)]
        begins: list[Word] = [repr(successor.created_at), ttl_ms(successor.expires_at, now)]
        fields = dump_session(successor, subject_key)
        words = (repr(now), key, *ends, sealed_id, successor.key, subject_key, *begins, *fields)
        async with redis_call():
            kept = read_optional(await RENEW.run(self._link, name, *words, confirm=True))
            await self._link.send(name, ("HDEL", name, "was_until"))  # its end stays from now on
            return kept

    def _create_words(
        self, session: Session, sealed: bytes | None, max_per_subject: int
    ) -> list[Word]:
        now = self._clock()
        subject_key = subject_key_of(session.subject)
        begins: list[Word] = [repr(session.created_at), ttl_ms(session.expires_at, now)]
        limits: list[Word] = [max_per_subject, REVOKED]
        key_entry = b"" if sealed is None else dump_sealed_key(sealed, session.created_at)
        fields = dump_session(session, subject_key)
        who = (repr(now), session.key, subject_key)
        return [*who, *begins, *limits, key_entry, SESSION_KEYS_KEPT, *fields]

    # Endings

    async def end(self, key: str, reason: str) -> tuple[str, ...]:
        return await self._end(END, record_name(key), key, dump_text(reason), but_for=(key,))

    async def end_subject(self, subject: Subject, reason: str) -> tuple[str, ...]:
        subject_key = subject_key_of(subject)
        return await self._end(
            END_SUBJECT, sessions_name(subject_key), subject_key, dump_text(reason)
        )

    async def block(self, subject: Subject, block: Block) -> tuple[str, ...]:
        subject_key = subject_key_of(subject)
        kept_ms = 0 if block.until is None else ttl_ms(block.until, self._clock())
        words = (dump_text(block.reason), dump_until(block.until), kept_ms)
        return await self._end(BLOCK, blocked_name(subject_key), subject_key, BLOCKED, *words)

    async def _end(
        self, script: Script, name: str, *words: Word, but_for: tuple[str, ...] = ()
    ) -> tuple[str, ...]:
        """Run a script that ends sessions; `but_for` are unconfirmed where it ended none."""
        async with redis_call():
            try:
                reply = await script.run(self._link, name, self._now(), *words, confirm=True)
            except UnmetError as error:
                keys = read_names(error.replies[0])
                raise UnconfirmedError(keys or but_for) from error
            return read_names(reply)

    async def unblock(self, subject: Subject) -> bool:
        """Take a block away; where its answer was lost, the repeated call says False."""
        name = blocked_name(subject_key_of(subject))
        async with redis_call():
            return read_truth(await UNBLOCK.run(self._link, name, self._now()))

    async def block_of(self, subject: Subject) -> Block | None:
        name = blocked_name(subject_key_of(subject))
        async with redis_call():
            (reply,) = await self._link.send(name, ("HGETALL", name))
            fields = read_map(reply)
            block = load_block(fields[b"reason"], fields[b"until"]) if fields else None
        has_passed = block and block.until is not None and block.until < self._clock()
        return None if has_passed else block

    async def follow(self, listener: Listener) -> NoReturn:
        async with store_faults(RedisError, *NONSENSE):
            await self._link.follow(listener)

    # Looking up, and last uses

    async def get(self, key: str) -> Session | Tombstone | None:
        name = record_name(key)
        async with redis_call():
            (reply,) = await self._link.send(name, ("HGETALL", name))
            return load_record(key, read_map(reply))

    async def session_keys(self, subject: Subject) -> tuple[SealedKey, ...]:
        name = keys_name(subject_key_of(subject))
        async with redis_call():
            (reply,) = await self._link.send(name, ("LRANGE", name, 0, SESSION_KEYS_KEPT - 1))
            return tuple(load_sealed_key(value) for value in read_texts(reply))

    async def find(self, wanted: Wanted, limit: int, after: str | None) -> Page:
        async with redis_call():
            return await self._search.find(wanted, limit, after)

    async def touch(self, last_used_at: Mapping[str, float]) -> None:
        """Record last uses; one call for all keys on a slot, whatever comes of the others."""
        room = asyncio.Semaphore(_TOUCHES_AT_ONCE)

        async def write(keys: list[str]) -> None:
            words = [word for key in keys for word in (key, repr(last_used_at[key]))]
            async with room, redis_call():
                await TOUCH.run(self._link, record_name(keys[0]), self._now(), *words)

        slots = [list(group) for _, group in groupby(sorted(last_used_at), key=part_of)]
        for outcome in await asyncio.gather(*map(write, slots), return_exceptions=True):
            if outcome is not None:
                raise outcome

    async def purge(self, now: float) -> int:  # noqa: ARG002 - the interface's
        """Do nothing: Redis forgets by itself."""
        return 0

    def _now(self) -> str:
        return repr(self._clock())
