"""Whether what is cached may be believed, with both clocks moved by hand."""

import asyncio

import pytest

from gateway.sessions.contact import TRUST_S, Contact
from tests.support.sessions import START_AT, HandClock

GRACE_S = 60.0
KEY = "A-key"


@pytest.fixture
def steady() -> HandClock:
    """The monotonic clock."""
    return HandClock(500.0)


@pytest.fixture
def contact(clock: HandClock, steady: HandClock) -> Contact:
    """A contact that has heard nothing yet."""
    return Contact(clock, GRACE_S, steady)


async def test_what_is_heard_is_believed_for_a_while(contact: Contact) -> None:
    """Trust counts from the moment that was told of, not from the moment it was told."""
    assert contact.heard(0.2) is True
    stretch = contact.stretch_of_a_lookup()
    assert stretch.heard_at == 499.8
    assert stretch.trusted_until == pytest.approx(START_AT + TRUST_S - 0.2)
    contact.close()


async def test_a_stretch_goes_on(contact: Contact, clock: HandClock, steady: HandClock) -> None:
    """Being told again lengthens the same stretch: what is in it is believed again."""
    contact.heard(0)
    stretch = contact.stretch_of_a_lookup()
    clock.forward(100)
    steady.forward(100)
    assert contact.heard(0) is False
    assert contact.stretch_of_a_lookup() is stretch
    assert stretch.trusted_until == pytest.approx(START_AT + 100 + TRUST_S)
    contact.close()


async def test_after_a_loss_a_new_stretch_begins(contact: Contact) -> None:
    """What was looked up before a loss is never believed through what is heard after it."""
    contact.heard(0)
    old = contact.stretch_of_a_lookup()
    assert contact.is_following
    contact.lost()
    assert contact.heard(0.1) is True
    assert contact.stretch_of_a_lookup() is not old
    assert old.trusted_until == pytest.approx(START_AT + TRUST_S)
    contact.close()


async def test_a_lookup_without_a_feed_is_never_believed(
    contact: Contact, clock: HandClock
) -> None:
    """Where no endings are told, each use is asked of the store."""
    assert clock() > contact.stretch_of_a_lookup().trusted_until


async def test_trust_ends_though_the_wall_clock_was_set_back(
    contact: Contact, clock: HandClock
) -> None:
    """A day set back gives no day of trust: a timer takes it away as well."""
    contact.heard(TRUST_S - 0.01)
    stretch = contact.stretch_of_a_lookup()
    clock.forward(-86400)
    assert clock() <= stretch.trusted_until
    await asyncio.sleep(0.05)
    assert clock() > stretch.trusted_until


async def test_trust_in_a_stretch_that_is_over_ends_though_the_clock_was_set_back(
    contact: Contact, clock: HandClock
) -> None:
    """What begins after a loss lengthens no belief in what was looked up before it."""
    contact.heard(TRUST_S - 0.01)
    old = contact.stretch_of_a_lookup()
    contact.lost()
    contact.heard(0)
    clock.forward(-86400)
    assert clock() <= old.trusted_until
    await asyncio.sleep(0.05)
    assert clock() > old.trusted_until
    assert clock() <= contact.stretch_of_a_lookup().trusted_until
    contact.close()


async def test_what_is_heard_late_is_not_believed(contact: Contact, clock: HandClock) -> None:
    """Word that is older than the trust gives none."""
    contact.heard(TRUST_S + 1)
    assert clock() > contact.stretch_of_a_lookup().trusted_until
    contact.close()


async def test_closed(contact: Contact, clock: HandClock) -> None:
    """A closed contact believes nothing; closing before anything was heard is fine."""
    contact.close()
    contact.heard(0)
    stretch = contact.stretch_of_a_lookup()
    contact.close()
    assert clock() > stretch.trusted_until
    assert not contact.is_following


async def test_closed_after_a_loss(contact: Contact, clock: HandClock) -> None:
    """What was heard before the loss is not believed either."""
    contact.heard(0)
    stretch = contact.stretch_of_a_lookup()
    contact.lost()
    contact.close()
    assert clock() > stretch.trusted_until


async def test_grace(contact: Contact, steady: HandClock) -> None:
    """While the store is away, what was good goes on until `grace` after it was last heard."""
    contact.heard(0)
    stretch = contact.stretch_of_a_lookup()
    contact.lost()
    assert not contact.goes_on(stretch, KEY), "the store may be there: ask it"
    contact.failed()
    steady.forward(GRACE_S)
    assert contact.goes_on(stretch, KEY)
    steady.forward(0.5)
    assert not contact.goes_on(stretch, KEY)
    assert not contact.is_in_grace(stretch)


async def test_grace_counts_for_each_stretch(contact: Contact, steady: HandClock) -> None:
    """A store that flaps does not lengthen the grace of what was never looked up again."""
    contact.heard(0)
    old = contact.stretch_of_a_lookup()
    contact.lost()
    steady.forward(GRACE_S - 1)
    contact.heard(0)
    new = contact.stretch_of_a_lookup()
    contact.lost()
    contact.failed()
    steady.forward(2)
    assert not contact.goes_on(old, KEY)
    assert contact.goes_on(new, KEY)
    contact.close()


@pytest.mark.parametrize("how", ["heard", "reached"])
async def test_out_of_grace(contact: Contact, steady: HandClock, how: str) -> None:
    """Away, and longer than `grace` after the last contact, whichever kind it was."""
    steady.forward(1000)
    seen = [contact.is_out_of_grace]  # long silent, but nobody says that it is away
    if how == "heard":
        contact.heard(0.5)
        steady.forward(-0.5)
    else:
        contact.reached()
    contact.lost()
    contact.failed()
    steady.forward(GRACE_S)
    seen.append(contact.is_out_of_grace)
    steady.forward(0.1)
    seen.append(contact.is_out_of_grace)
    contact.reached()
    contact.failed()
    assert [*seen, contact.is_out_of_grace] == [False, False, True, False]
    contact.close()


async def test_without_grace_trust_counts(clock: HandClock, steady: HandClock) -> None:
    """What was just heard is believed: a store that blinks closes nothing."""
    contact = Contact(clock, 0.0, steady)
    contact.failed()
    steady.forward(TRUST_S)
    seen = [contact.is_out_of_grace]
    steady.forward(0.1)
    assert [*seen, contact.is_out_of_grace] == [False, True]


@pytest.mark.parametrize("how", ["heard", "reached"])
async def test_grace_ends_with_the_stores_return(contact: Contact, how: str) -> None:
    """Once the store has answered, it is asked again, though grace is left."""
    stretch = contact.stretch_of_a_lookup()
    contact.failed()
    assert contact.goes_on(stretch, KEY)
    if how == "heard":
        contact.heard(0)
    else:
        contact.reached()
    assert not contact.goes_on(stretch, KEY)
    contact.close()


async def test_a_part_that_is_away(contact: Contact) -> None:
    """What lies in it goes on; what lies in another is asked for."""
    stretch = contact.stretch_of_a_lookup()
    contact.failed(KEY)
    assert contact.goes_on(stretch, "A-nother")
    assert not contact.goes_on(stretch, "B-key")
    contact.reached("B-key")
    assert contact.goes_on(stretch, KEY), "its own part has not answered"
    contact.reached("A-nother")
    assert not contact.goes_on(stretch, KEY)


async def test_the_parts_that_a_probe_found(contact: Contact, steady: HandClock) -> None:
    """They are away and no others, whatever was known before; past `grace` nothing is open."""
    stretch = contact.stretch_of_a_lookup()
    contact.failed()
    contact.failed("B-key")
    contact.failed_in({"A"})
    assert contact.goes_on(stretch, KEY)
    assert not contact.goes_on(stretch, "B-key")
    steady.forward(GRACE_S + 0.1)
    assert contact.is_out_of_grace
    contact.failed_in(())
    assert not contact.is_out_of_grace
