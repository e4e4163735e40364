"""The shared store: Redis 6 or newer, one server, with or without TLS (design section 5).

It must not know tokens or keys. How things are written there: `redis_records`. Every record has a
time to live, so that Redis forgets by itself. A call that met a connection which had just died is
sent once more; each script may be repeated without harm.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NoReturn, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.clock import Clock
from gateway.sessions.model import Session, Subject
from gateway.sessions.redis_endings import follow
from gateway.sessions.redis_records import (
    APPS,
    CREATE,
    END,
    END_SUBJECT,
    SESSION_PREFIX,
    TOUCH,
    RubbishError,
    dump_sealed_key,
    dump_session,
    keys_name,
    load_record,
    load_sealed_key,
    record_name,
    sessions_name,
)
from gateway.sessions.store import (
    REVOKED,
    SESSION_KEYS_KEPT,
    STORE_TIMEOUT_S,
    Listener,
    Page,
    SealedKey,
    Tombstone,
    Wanted,
    not_from_a_page,
    store_call,
    store_faults,
    subject_key_of,
)
from gateway.sessions.token import is_session_key

_CONNECTIONS = 50  # per process; more callers wait for one, at most STORE_TIMEOUT_S
_RETRIES = 1
_CLOCKS_DIFFER_S = 60  # a record stays this much longer: our clock judges, not Redis'
_SCAN_KEYS = 1000  # per step of SCAN
_SCAN_STEPS = 20  # per page, to stay within STORE_TIMEOUT_S
# What a server that answers nonsense makes the client library raise, beside its own errors.
_NONSENSE = (ValueError, TypeError, LookupError, AttributeError)


class RedisStore:
    """Sessions in one Redis. `clock` judges what has expired."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._clock = clock
        self._redis = Redis.from_pool(_pool(url))
        # Read by us: redis-py takes an odd list for an empty map, and nothing for an empty set.
        for command in ("HGETALL", "SMEMBERS"):
            self._redis.set_response_callback(command, _as_it_came)
        self._create = self._redis.register_script(CREATE)
        self._end = self._redis.register_script(END)
        self._end_subject = self._redis.register_script(END_SUBJECT)
        self._touch = self._redis.register_script(TOUCH)

    async def open(self) -> None:
        """Do nothing: connections are made when needed, so Redis may come up after us."""

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def ping(self) -> None:
        async with _call():
            if await self._command("PING") is not True:
                raise RubbishError("not a PONG")

    async def create(
        self, session: Session, sealed_session_key: bytes | None, max_per_subject: int
    ) -> tuple[str, ...]:
        subject_key = subject_key_of(session.subject)
        names = [record_name(session.key), sessions_name(subject_key), keys_name(subject_key)]
        arguments = self._create_arguments(session, sealed_session_key, max_per_subject)
        app = json.dumps([session.platform, session.subject.app_id])
        async with _call():
            await self._command("SADD", APPS, app)  # first: what is found must be findable
            return _names(await self._create(keys=names, args=arguments))

    async def get(self, key: str) -> Session | Tombstone | None:
        async with _call():
            return load_record(key, _read_map(await self._command("HGETALL", record_name(key))))

    async def end(self, key: str, reason: str) -> bool:
        async with _call():
            ended = await self._end(keys=[record_name(key)], args=[key, reason, self._now()])
            if ended not in {0, 1}:
                raise RubbishError("not a yes or no")
            return bool(ended)

    async def end_subject(self, subject: Subject, reason: str) -> tuple[str, ...]:
        names = [sessions_name(subject_key_of(subject))]
        async with _call():
            arguments = [reason, self._now(), SESSION_PREFIX]
            return _names(await self._end_subject(keys=names, args=arguments))

    async def follow(self, listener: Listener) -> NoReturn:
        """Subscribe on a connection of its own, beside the pool's."""
        pool = self._redis.connection_pool
        connection = pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py's omission
        async with store_faults(RedisError, *_NONSENSE):
            await follow(connection, listener)

    async def find(self, wanted: Wanted, limit: int, after: str | None) -> Page:
        async with _call():
            if wanted.openid is not None:
                return await self._find_openid(wanted, wanted.openid, limit, after)
            return await self._find_everywhere(wanted, limit, _Place.load(after))

    async def touch(self, last_used_at: Mapping[str, float]) -> None:
        async with _call(), self._redis.pipeline(transaction=False) as pipeline:
            for key, at in last_used_at.items():
                await self._touch(keys=[record_name(key)], args=[repr(at)], client=pipeline)
            await pipeline.execute()

    async def session_keys(self, subject: Subject) -> tuple[SealedKey, ...]:
        name = keys_name(subject_key_of(subject))
        async with _call():
            values = await self._command("LRANGE", name, 0, SESSION_KEYS_KEPT - 1)
            return tuple(load_sealed_key(value) for value in _read_texts(values))

    async def purge(self, now: float) -> int:  # noqa: ARG002 - the interface's
        """Do nothing: Redis forgets by itself."""
        return 0

    async def _command(self, *words: str | int) -> object:
        answer: object = await self._redis.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
        return answer

    def _now(self) -> str:
        return repr(self._clock())

    def _create_arguments(
        self, session: Session, sealed: bytes | None, max_per_subject: int
    ) -> list[str | bytes | int]:
        ttl_s = max(session.expires_at - self._clock(), 0) + _CLOCKS_DIFFER_S
        key_entry = b"" if sealed is None else dump_sealed_key(sealed, session.created_at)
        return [
            *(session.key, dump_session(session), repr(session.expires_at)),
            *(repr(session.last_used_at), subject_key_of(session.subject)),
            *(repr(session.created_at), int(ttl_s * 1000), self._now(), max_per_subject),
            *(key_entry, SESSION_KEYS_KEPT, SESSION_PREFIX, REVOKED),
        ]

    # Finding: an openid by the subjects it can be, everything else along the key space.

    async def _find_openid(
        self, wanted: Wanted, openid: str, limit: int, after: str | None
    ) -> Page:
        if after and not is_session_key(after):
            raise not_from_a_page()
        apps = [json.loads(app) for app in _read_texts(await self._command("SMEMBERS", APPS))]
        subjects = [Subject(platform, app_id, "user", openid) for platform, app_id in apps]
        names = [sessions_name(subject_key_of(subject)) for subject in subjects]
        members = await self._pipelined("ZRANGE", *((name, 0, -1) for name in names))
        keys = sorted(key for keys in members for key in _names(keys) if key > (after or ""))
        found = [one for one in await self._load(keys) if one is not None and wanted.fits(one)]
        return Page(tuple(found[:limit]), found[limit - 1].key if len(found) > limit else None)

    async def _find_everywhere(self, wanted: Wanted, limit: int, place: "_Place") -> Page:
        found: list[Session] = []
        for _ in range(_SCAN_STEPS):
            next_cursor, keys = await self._scan(place.cursor)
            sessions = await self._load(keys[place.skip :])
            for position, session in enumerate(sessions, place.skip):
                if session is None or not wanted.fits(session):
                    continue
                if len(found) == limit:
                    return Page(tuple(found), str(_Place(place.cursor, position)))
                found.append(session)
            if next_cursor == 0:
                return Page(tuple(found), None)
            place = _Place(next_cursor, 0)
        return Page(tuple(found), str(place))

    async def _scan(self, cursor: int) -> tuple[int, list[str]]:
        words = ("SCAN", cursor, "MATCH", SESSION_PREFIX + "*", "COUNT", _SCAN_KEYS)
        next_cursor, names = cast("tuple[int, list[bytes]]", await self._command(*words))
        return next_cursor, [name.decode("ascii").removeprefix(SESSION_PREFIX) for name in names]

    async def _load(self, keys: list[str]) -> list[Session | None]:
        """The sessions of these keys, in their order; None where one has ended or expired."""
        now = self._clock()
        hashes = await self._pipelined("HGETALL", *((record_name(key),) for key in keys))
        records = [load_record(key, _read_map(one)) for key, one in zip(keys, hashes, strict=True)]
        return [
            record if isinstance(record, Session) and record.expires_at >= now else None
            for record in records
        ]

    async def _pipelined(self, command: str, *calls: tuple[str | int, ...]) -> list[object]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for words in calls:
                pipeline.execute_command(command, *words)
            return await pipeline.execute()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a scan goes on: SCAN's cursor, and how many keys of that step have been seen."""

    cursor: int
    skip: int

    @classmethod
    def load(cls, after: str | None) -> "_Place":
        cursor, dash, skip = (after or "0-0").partition("-")
        if not (dash and _is_count(cursor) and _is_count(skip)):
            raise not_from_a_page()
        return cls(int(cursor), int(skip))

    def __str__(self) -> str:
        return f"{self.cursor}-{self.skip}"


def _is_count(text: str) -> bool:
    # SCAN's cursor is 64 bits; the length first, for reading endless digits costs time
    return len(text) <= 20 and text.isascii() and text.isdigit() and int(text) < 2**64


def _pool(url: str) -> BlockingConnectionPool:
    return BlockingConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS,
        timeout=STORE_TIMEOUT_S,
        # `store_call` bounds every call. With a time-out of its own redis-py sends through
        # asyncio.wait_for, which on Python 3.11 can swallow that bound (cpython issue 86296).
        socket_timeout=None,
        socket_connect_timeout=STORE_TIMEOUT_S,
        retry=Retry(NoBackoff(), _RETRIES),
        protocol=2,  # the plainest one: nothing is pushed on these connections
    )


@asynccontextmanager
async def _call() -> AsyncIterator[None]:
    async with store_call(RedisError, *_NONSENSE):
        yield


def _as_it_came(response: object, **_options: object) -> object:
    return response


def _read_texts(reply: object) -> list[bytes]:
    if not isinstance(reply, list) or not all(isinstance(one, bytes) for one in reply):
        raise RubbishError("not a list of texts")
    return reply


def _read_map(reply: object) -> dict[bytes, bytes]:
    texts = _read_texts(reply)
    return dict(zip(texts[::2], texts[1::2], strict=True))


def _names(value: object) -> tuple[str, ...]:
    return tuple(text.decode("ascii") for text in _read_texts(value))
