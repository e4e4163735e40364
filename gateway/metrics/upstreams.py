"""What is told of upstreams: the states of their targets, read when a snapshot is taken."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from gateway.metrics.catalogue import (
    CONNECT_FAILURES,
    EJECTIONS,
    RETRIES,
    TARGET_UP,
    UPSTREAM_ATTEMPTS,
    UPSTREAM_CONNECTIONS,
    UPSTREAM_WAITING,
)
from gateway.metrics.counts import Sample


class TargetState(Protocol):
    """One target as it stands; the last three are counted since the process began.

    `target` is its address as the settings write it, which hold no credentials there.
    """

    @property
    def target(self) -> str: ...
    @property
    def is_up(self) -> bool:
        """By the active checks."""

    @property
    def is_ejected(self) -> bool:
        """Left alone for a while after failures."""

    @property
    def in_use(self) -> int: ...
    @property
    def idle(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def attempts(self) -> int: ...
    @property
    def connect_failures(self) -> int: ...
    @property
    def ejections(self) -> int: ...


class UpstreamState(Protocol):
    """An upstream that can be asked for its targets."""

    @property
    def name(self) -> str: ...
    @property
    def retried(self) -> int:
        """Requests sent once more, since the process began."""

    def states(self) -> Iterable[TargetState]:
        """Tell each target as it stands now."""


def read_upstreams(upstreams: Iterable[UpstreamState]) -> Iterator[Sample]:
    """Read the states of all targets of these upstreams."""
    for upstream in upstreams:
        yield RETRIES, (upstream.name,), upstream.retried
        for state in upstream.states():
            yield from _read_target((upstream.name, state.target), state)


def _read_target(labels: tuple[str, str], state: TargetState) -> Iterator[Sample]:
    yield TARGET_UP, labels, int(state.is_up and not state.is_ejected)
    yield UPSTREAM_CONNECTIONS, (*labels, "in_use"), state.in_use
    yield UPSTREAM_CONNECTIONS, (*labels, "idle"), state.idle
    yield UPSTREAM_WAITING, labels, state.waiting
    yield UPSTREAM_ATTEMPTS, labels, state.attempts
    yield CONNECT_FAILURES, labels, state.connect_failures
    yield EJECTIONS, labels, state.ejections
