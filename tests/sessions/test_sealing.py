"""Which encryption keys are needed: noted once an hour, checked at a start, dropped by force."""

import logging
from collections.abc import Mapping

import pytest

from gateway.errors import GatewayError, SettingsError
from gateway.sessions.keyring import KeyRing
from gateway.sessions.sealing import NOTE_EVERY_S, RenewedNote, SealingNote, check_sealing_keys
from gateway.sessions.store import SessionStore
from gateway.sessions.stores import open_store
from tests.support.sessions import START_AT, HandClock, make_session, make_subject

LIFE_S = 1000.0
OLD, NEW = "0123abcd", "89ef4567"


async def noted(store: SessionStore) -> Mapping[str, float]:
    """What the store would tell a start."""
    return dict(await store.sealing_keys())


# -- noting -----------------------------------------------------------------------------------


async def test_nothing_is_noted_before_a_use(store: SessionStore, clock: HandClock) -> None:
    """A gateway that sealed nothing needs no key."""
    await SealingNote(store, OLD, LIFE_S, clock).write()
    assert await noted(store) == {}


async def test_a_use_is_noted_for_as_long_as_records_live(
    store: SessionStore, clock: HandClock
) -> None:
    """And for those of the next hour, in which nothing is written."""
    note = SealingNote(store, OLD, LIFE_S, clock)
    assert note.use()
    await note.write()
    assert await noted(store) == {OLD: START_AT + NOTE_EVERY_S + LIFE_S}


async def test_one_note_an_hour(store: SessionStore, clock: HandClock) -> None:
    """Many uses are one write; after an hour the next use is due again."""
    note = SealingNote(store, OLD, LIFE_S, clock)
    assert [note.use() for _ in range(3)] == [True, False, False]
    await note.write()
    clock.forward(NOTE_EVERY_S - 1)
    assert not note.use()
    await note.write()
    assert await noted(store) == {OLD: START_AT + NOTE_EVERY_S + LIFE_S}
    clock.forward(1)
    assert note.use()
    await note.write()
    assert await noted(store) == {OLD: START_AT + 2 * NOTE_EVERY_S + LIFE_S}


async def test_a_clock_set_back_is_noted_again(store: SessionStore, clock: HandClock) -> None:
    """A note from the future does not hold back the next; nor does the next shorten it."""
    note = SealingNote(store, OLD, LIFE_S, clock)
    note.use()
    await note.write()
    clock.forward(-10)
    assert note.use()
    await note.write()
    assert await noted(store) == {OLD: START_AT + NOTE_EVERY_S + LIFE_S}


async def test_a_note_that_failed_stays_due(store: SessionStore, clock: HandClock) -> None:
    """Until the store has it; a store that is away is the caller's to bear."""
    absent = SealingNote(open_store("redis://127.0.0.1:1", clock), OLD, LIFE_S, clock)
    absent.use()
    for _ in range(2):
        with pytest.raises(GatewayError) as caught:
            await absent.write()
        assert caught.value.code == "store_unavailable"
    assert not absent.use()


async def test_a_renewed_login_needs_its_key_for_longer(
    store: SessionStore, clock: HandClock
) -> None:
    """From its record's own moment; what is noted for longer stays, what is not here is left."""
    ring = KeyRing([b"k" * 32])
    subject, (key_id,) = make_subject(), ring.key_ids
    await store.create(make_session(1, subject), ring.seal("x", "any"), 10)
    await store.note_sealing_key(key_id, START_AT + 5)
    note = RenewedNote(store, [key_id], LIFE_S)
    await note.write()
    assert await noted(store) == {key_id: START_AT + 5}
    dropped = RenewedNote(store, [NEW], LIFE_S)
    for each in (note, dropped):
        each.renewed(subject)
        await each.write()
    assert await noted(store) == {key_id: START_AT + LIFE_S}
    shorter = RenewedNote(store, [key_id], LIFE_S / 2)
    shorter.renewed(subject)
    await shorter.write()
    assert await noted(store) == {key_id: START_AT + LIFE_S}


# -- checking ---------------------------------------------------------------------------------


async def test_keys_at_hand_are_enough(store: SessionStore) -> None:
    """Also where more are at hand than are needed, and where none is needed."""
    await check_sealing_keys(store, [NEW])
    await store.note_sealing_key(OLD, START_AT + 5)
    await check_sealing_keys(store, [NEW, OLD])


async def test_a_key_whose_time_is_over_may_go(store: SessionStore, clock: HandClock) -> None:
    """Nothing that it sealed lives."""
    await store.note_sealing_key(OLD, START_AT + 5)
    clock.forward(6)
    await check_sealing_keys(store, [NEW])


async def test_each_missing_key_is_named(store: SessionStore) -> None:
    """With its id, the moment until which it is needed, and what to do."""
    await store.note_sealing_key(OLD, START_AT + 5)
    await store.note_sealing_key(NEW, START_AT + 6)
    with pytest.raises(SettingsError) as caught:
        await check_sealing_keys(store, ["11112222"])
    by_id = {OLD: "2027-01-15T08:00:05Z", NEW: "2027-01-15T08:00:06Z"}
    assert len(caught.value.problems) == 2
    for problem in caught.value.problems:
        (found,) = (key_id for key_id in by_id if key_id in problem.found)
        assert by_id[found] in problem.found
        assert problem.path == "session.encryption_keys"
        assert "--drop-encryption-keys" in problem.allowed


async def test_dropped_keys_are_forgotten(
    store: SessionStore, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names each, and the next start asks for none; what is at hand stays noted."""
    await store.note_sealing_key(OLD, START_AT + 5)
    await store.note_sealing_key(NEW, START_AT + 6)
    await check_sealing_keys(store, [NEW], drop=True)
    assert f"encryption key {OLD} was dropped" in caplog.text
    assert await noted(store) == {NEW: START_AT + 6}
    await check_sealing_keys(store, [NEW])


@pytest.mark.parametrize("drop", [False, True])
async def test_a_store_that_is_away_is_told(
    clock: HandClock, caplog: pytest.LogCaptureFixture, drop: bool
) -> None:
    """It stops no start."""
    absent = open_store("redis://127.0.0.1:1", clock)
    with caplog.at_level(logging.WARNING):
        await check_sealing_keys(absent, [NEW], drop=drop)
    assert "was not checked: store_unavailable" in caplog.text
    await absent.close()
