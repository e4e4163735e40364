"""The inbox between a receiving protocol and the task that takes."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.inbox import HIGH_BYTES, Inbox


def recording() -> tuple[Inbox, list[str]]:
    """An inbox, and what it told its sender."""
    told: list[str] = []
    return Inbox(lambda: told.append("stop"), lambda: told.append("resume")), told


@given(st.lists(st.binary(max_size=40)))
def test_bytes_leave_in_the_order_they_came(pieces: list[bytes]) -> None:
    """Nothing is lost or doubled."""
    inbox, _ = recording()
    for piece in pieces:
        inbox.put(piece)
    assert inbox.take() == b"".join(pieces)
    assert not inbox


def test_the_sender_is_stopped_once_and_resumed_once() -> None:
    """Above the mark it is told to stop; taking lets it go on."""
    inbox, told = recording()
    inbox.put(bytes(HIGH_BYTES))
    assert told == []
    inbox.put(b"x")
    inbox.put(b"y")
    assert told == ["stop"]
    assert len(inbox.take()) == HIGH_BYTES + 2
    assert told == ["stop", "resume"]
    inbox.take()
    assert told == ["stop", "resume"]
