"""The platforms' session_keys: sealed on their way into the store, opened on their way out."""

from gateway.sessions.keyring import KeyRing
from gateway.sessions.session_keys import SessionKeys
from gateway.sessions.sqlite.store import SqliteStore
from tests.support.sessions import HandClock, make_session, make_subject

ALICE, BOB = make_subject("o-alice"), make_subject("o-bob")
OLD, NEW = b"o" * 32, b"n" * 32
LIFE_S = 1000.0


def built(store: SqliteStore, *keys: bytes) -> tuple[SessionKeys, list[int]]:
    """Session keys under these encryption keys, and how often one was used."""
    seals: list[int] = []
    return SessionKeys(store, KeyRing(keys), lambda: seals.append(1), store._clock, LIFE_S), seals


async def test_sealed_and_opened(sqlite_store: SqliteStore, clock: HandClock) -> None:
    """Newest first, with their times; each seal is told."""
    keys, seals = built(sqlite_store, OLD)
    for number in range(3):
        clock.forward(1)
        sealed = keys.seal(ALICE, f"key-{number}")
        assert sealed is not None
        assert b"key-" not in sealed
        await sqlite_store.create(make_session(number, ALICE, created_at=clock()), sealed, 10)
    found = await keys.of(ALICE)
    assert [key.value for key in found] == ["key-2", "key-1", "key-0"]
    assert found[0].created_at == clock()
    assert "key-2" not in repr(found)
    assert len(seals) == 3
    assert await keys.of(BOB) == ()


async def test_nothing_to_seal(sqlite_store: SqliteStore) -> None:
    """A login that brought none needs no encryption key."""
    keys, seals = built(sqlite_store, OLD)
    assert keys.seal(ALICE, None) is None
    assert seals == []


async def test_what_no_key_opens_is_left_out(sqlite_store: SqliteStore) -> None:
    """A key that was taken away, and a record put in another's place."""
    old, _ = built(sqlite_store, OLD)
    await sqlite_store.create(make_session(1, ALICE), old.seal(ALICE, "mine"), 10)
    await sqlite_store.create(make_session(2, BOB), old.seal(ALICE, "not his"), 10)
    assert [key.value for key in await built(sqlite_store, NEW, OLD)[0].of(ALICE)] == ["mine"]
    assert await built(sqlite_store, NEW)[0].of(ALICE) == ()
    assert await old.of(BOB) == ()


async def test_one_too_old_for_any_login_is_left_out(
    sqlite_store: SqliteStore, clock: HandClock
) -> None:
    """Though a later login of the subject keeps its record in the store."""
    keys, _ = built(sqlite_store, OLD)
    for number in range(2):
        session = make_session(number, ALICE, created_at=clock())
        await sqlite_store.create(session, keys.seal(ALICE, f"key-{number}"), 10)
        clock.forward(LIFE_S)
        assert [key.value for key in await keys.of(ALICE)] == [f"key-{number}"]
    assert len(await sqlite_store.session_keys(ALICE)) == 2
    clock.forward(1)
    assert await keys.of(ALICE) == ()
