"""The arithmetic of what was found about sessions."""

from bench.stores.found import Cost, Delays, Room


def test_a_core_does_as_many_as_its_time_allows() -> None:
    """Whatever was reached while it waited for others; nothing measured is nothing done."""
    assert Cost(100.0, 500.0).per_core_s == 2000
    assert Cost(0.0, 0.0).per_core_s == 0


def test_delays_are_told_in_milliseconds() -> None:
    """The middle, and the longest."""
    delays = Delays([0.003, 0.001, 0.002])
    assert (delays.ms(0.5), delays.ms(1.0)) == (2, 3)


def test_room_is_shared_by_all() -> None:
    """Bytes of the whole store by sessions."""
    assert Room(4, 10).each_bytes == 2.5
