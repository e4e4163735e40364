"""Looking through the sessions in Redis: an openid by the subjects it can be, all else by SCAN.

It must not know who asks. A page's place names a primary, SCAN's cursor there, and how many keys
of that step have been seen. While a Cluster is resharded, a session that moves may be seen twice
or not at all.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from gateway.clock import Clock
from gateway.sessions.model import Session, Subject
from gateway.sessions.redis.link import Primary, RedisLink
from gateway.sessions.redis.records import (
    APPS,
    RECORDS,
    RubbishError,
    key_of_record,
    load_record,
    read_map,
    read_names,
    read_texts,
    record_name,
    sessions_name,
)
from gateway.sessions.store import Page, Wanted, not_from_a_page, subject_key_of
from gateway.sessions.token import is_session_key

_SCAN_KEYS = 1000  # per step of SCAN
_SCAN_STEPS = 20  # per page, to stay within STORE_TIMEOUT_S


class RedisSearch:
    """Finds sessions; `clock` judges what has expired."""

    def __init__(
        self,
        link: RedisLink,
        clock: Clock,
        *,
        scan_keys: int = _SCAN_KEYS,
        scan_steps: int = _SCAN_STEPS,
    ) -> None:
        self._link = link
        self._clock = clock
        self._scan_keys = scan_keys
        self._scan_steps = scan_steps

    async def find(self, wanted: Wanted, limit: int, after: str | None) -> Page:
        """See `SessionStore.find`. Raises: RedisError, RubbishError, GatewayError bad_request."""
        if wanted.openid is not None:
            return await self._find_openid(wanted, wanted.openid, limit, after)
        return await self._find_everywhere(wanted, limit, after)

    # An openid: nobody knows in which app, so each app's subject is looked up.

    async def _find_openid(
        self, wanted: Wanted, openid: str, limit: int, after: str | None
    ) -> Page:
        if after and not is_session_key(after):
            raise not_from_a_page()
        (apps,) = await self._link.send(APPS, ("SMEMBERS", APPS))
        pairs = [json.loads(app) for app in read_texts(apps)]
        subjects = [Subject(platform, app_id, "user", openid) for platform, app_id in pairs]
        found = await self._of_subjects([subject_key_of(one) for one in subjects], after or "")
        fitting = sorted((one for one in found if wanted.fits(one)), key=lambda one: one.key)
        after = fitting[limit - 1].key if len(fitting) > limit else None
        return Page(tuple(fitting[:limit]), after)

    async def _of_subjects(self, subject_keys: Iterable[str], after: str) -> list[Session]:
        found: list[Session] = []
        for _slot, group in groupby(sorted(subject_keys), key=lambda one: one[0]):
            names = [sessions_name(subject_key) for subject_key in group]
            members = await self._link.send(names[0], *(("ZRANGE", name, 0, -1) for name in names))
            keys = [key for reply in members for key in read_names(reply) if key > after]
            if keys:
                commands = [("HGETALL", record_name(key)) for key in keys]
                hashes = await self._link.send(names[0], *commands)
                found += [one for one in self._load(keys, hashes) if one is not None]
        return found

    # Everything else: the key space of one primary after the other.

    async def _find_everywhere(self, wanted: Wanted, limit: int, after: str | None) -> Page:
        asked_for = _Place.load(after) if after is not None else None
        primaries = await self._link.primaries()
        place = asked_for or _Place(primaries[0].id, 0, 0)
        found: list[Session] = []
        for _ in range(self._scan_steps):
            primary = _named(primaries, place.primary)
            next_cursor, keys = await self._scan(primary, place.cursor)
            sessions = await self._read(primary, keys[place.skip :])
            for position, session in enumerate(sessions, place.skip):
                if session is None or not wanted.fits(session):
                    continue
                if len(found) == limit:
                    return Page(tuple(found), str(_Place(place.primary, place.cursor, position)))
                found.append(session)
            next_place = _next_place(primaries, primary, next_cursor)
            if next_place is None:
                return Page(tuple(found), None)
            place = next_place
        return Page(tuple(found), str(place))

    async def _scan(self, primary: Primary, cursor: int) -> tuple[int, list[str]]:
        command = ("SCAN", str(cursor), "MATCH", RECORDS, "COUNT", self._scan_keys)
        (reply,) = await primary.send(command)
        match reply:
            case [bytes(next_cursor), [*names]]:
                return int(next_cursor), [key_of_record(name) for name in read_texts(names)]
        raise RubbishError("not a step of a scan")

    async def _read(self, primary: Primary, keys: Sequence[str]) -> list[Session | None]:
        if not keys:
            return []
        hashes = await primary.send(*(("HGETALL", record_name(key)) for key in keys))
        return self._load(keys, hashes)

    def _load(self, keys: Sequence[str], hashes: Sequence[object]) -> list[Session | None]:
        """The sessions of these keys, in their order; None where one has ended or expired."""
        now = self._clock()
        records = [load_record(key, read_map(one)) for key, one in zip(keys, hashes, strict=True)]
        return [
            record if isinstance(record, Session) and record.expires_at >= now else None
            for record in records
        ]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a listing goes on."""

    primary: str
    cursor: int
    skip: int

    @classmethod
    def load(cls, after: str) -> "_Place":
        """Read a place back. Raises: GatewayError bad_request."""
        match after.split("-"):
            case [primary, cursor, skip] if _is_count(cursor) and _is_count(skip):
                return cls(primary, int(cursor), int(skip))
        raise not_from_a_page()

    def __str__(self) -> str:
        return f"{self.primary}-{self.cursor}-{self.skip}"


def _named(primaries: Sequence[Primary], name: str) -> Primary:
    """The primary of this id; one that is no longer there cannot be gone on from."""
    for primary in primaries:
        if primary.id == name:
            return primary
    raise not_from_a_page()


def _next_place(primaries: Sequence[Primary], primary: Primary, next_cursor: int) -> _Place | None:
    if next_cursor:
        return _Place(primary.id, next_cursor, 0)
    later = [one.id for one in primaries if one.id > primary.id]
    return _Place(min(later), 0, 0) if later else None


def _is_count(text: str) -> bool:
    # SCAN's cursor is 64 bits; the length first, for reading endless digits costs time
    return len(text) <= 20 and text.isascii() and text.isdigit() and int(text) < 2**64
