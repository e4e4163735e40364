"""Which encryption keys the store's records still need: noted while sealing, checked at a start.

Without it, whoever takes a key out of the settings too early learns of it when data cannot be
opened any more. It must not know keys, only their ids, nor what is sealed.
"""

import logging
from collections.abc import Collection
from datetime import UTC, datetime

from gateway.clock import Clock
from gateway.errors import GatewayError, Problem, SettingsError
from gateway.sessions.keyring import key_id_of
from gateway.sessions.model import Subject
from gateway.sessions.store import SessionStore

NOTE_EVERY_S = 3600.0
"""One write an hour and process is enough: a note covers the records of the hour after it."""

MAX_RENEWED = 100_000
"""Subjects of renewals whose records wait to be looked at, per process: a round's renewals."""

_PLACE = "session.encryption_keys"
_LOG = logging.getLogger(__name__)


class SealingNote:
    """Keeps the store told until when records sealed with one key may live.

    `life_s`: how long a record sealed now may, at the longest.
    """

    def __init__(self, store: SessionStore, key_id: str, life_s: float, clock: Clock) -> None:
        self._store = store
        self._key_id = key_id
        self._life_s = life_s
        self._clock = clock
        self._noted_at: float | None = None
        self._is_due = False

    def use(self) -> bool:
        """Note in memory that something is sealed now; True: `write` has just become due."""
        if self._is_due or self._is_fresh():
            return False
        self._is_due = True
        return True

    async def write(self) -> None:
        """Tell the store, where that is due. Raises: GatewayError store_unavailable."""
        if not self._is_due:
            return
        now = self._clock()
        await self._store.note_sealing_key(self._key_id, now + NOTE_EVERY_S + self._life_s)
        self._noted_at = now
        self._is_due = False

    def _is_fresh(self) -> bool:
        if self._noted_at is None:
            return False
        return 0 <= self._clock() - self._noted_at < NOTE_EVERY_S  # a clock set back is not


class RenewedNote:
    """Keeps the store told of the keys whose records are needed on by logins that were renewed.

    A note made while sealing covers them only where `max_lifetime` was no shorter then.
    `life_s`: how long a record is good, from its login. Keys that are not at hand are not noted:
    here nothing needs them, and who dropped one is not asked for it again.
    """

    def __init__(self, store: SessionStore, key_ids: Collection[str], life_s: float) -> None:
        self._store = store
        self._key_ids = key_ids
        self._life_s = life_s
        self._subjects: set[Subject] = set()

    def renewed(self, subject: Subject) -> None:
        """Note in memory that a login of this subject is renewed."""
        if len(self._subjects) < MAX_RENEWED:
            self._subjects.add(subject)

    async def write(self) -> None:
        """Tell the store what it does not know yet. Raises: GatewayError store_unavailable."""
        if not self._subjects:
            return
        noted = dict(await self._store.sealing_keys())
        for subject in tuple(self._subjects):
            for record in await self._store.session_keys(subject):
                key_id, until = key_id_of(record.sealed), record.created_at + self._life_s
                if key_id in self._key_ids and until > noted.get(key_id, 0.0):
                    await self._store.note_sealing_key(key_id, until)
                    noted[key_id] = until
            self._subjects.discard(subject)


async def require_sealing_keys(store: SessionStore, key_ids: Collection[str]) -> None:
    """Return where the keys at hand open all that the store keeps.

    Raises: SettingsError naming each key that is missing, GatewayError store_unavailable.
    """
    missing = await _missing(store, key_ids)
    if missing:
        raise SettingsError([_problem(key_id, until) for key_id, until in missing.items()])


async def check_sealing_keys(
    store: SessionStore, key_ids: Collection[str], *, drop: bool = False
) -> None:
    """Return where the keys at hand open all that the store keeps; `drop` forgets the others.

    A store that is away is not waited for: the log says that nothing was checked.
    Raises: SettingsError naming each key that is missing.
    """
    try:
        if drop:
            await _forget(store, await _missing(store, key_ids))
        else:
            await require_sealing_keys(store, key_ids)
    except GatewayError as error:
        _LOG.warning("whether records need another encryption key was not checked: %s", error)


async def _missing(store: SessionStore, key_ids: Collection[str]) -> dict[str, float]:
    needed = await store.sealing_keys()
    return {key_id: until for key_id, until in needed.items() if key_id not in key_ids}


async def _forget(store: SessionStore, key_ids: Collection[str]) -> None:
    for key_id in key_ids:
        await store.forget_sealing_key(key_id)
        _LOG.warning("encryption key %s was dropped: what it sealed cannot be opened", key_id)


def _problem(key_id: str, until: float) -> Problem:
    day = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Problem(
        path=_PLACE,
        line=None,
        found=f"no key with the id {key_id}, which sealed records that live until {day}",
        allowed=(
            "that key too, after the newer ones, until then;"
            " or start once with --drop-encryption-keys, and what it sealed is lost"
        ),
    )
