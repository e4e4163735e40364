"""Runs the fuzzer of the wire: hypothesis draws, a running gateway answers, the oracle judges."""

import time
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.attack.fuzz.generators import Script, scripts
from tests.attack.fuzz.oracle import judge
from tests.attack.fuzz.wire import Wire
from tests.attack.stage import FORGED

_ROUND = 200
"""Examples drawn from one seed; then the next."""


class WireBrokenError(AssertionError):
    """An exchange broke a rule; the text says which, without secrets."""


@dataclass(slots=True)
class Hunt:
    """How far it has come: examples, their requests, what arrived, and the finding if any.

    `first_found` is the example that broke something first; those after it only make it small.
    """

    examples: int = 0
    requests: int = 0
    arrived: int = 0
    seconds: float = 0.0
    finding: str | None = None
    first_found: int | None = None


def try_script(wire: Wire, script: Script, hunt: Hunt) -> None:
    """Send one script. Raises: WireBrokenError."""
    number = wire.next_number()
    tokens: dict[str, bytes] = {**wire.tokens, "forged": FORGED.encode()}
    found = wire.exchange(script.fill(number, tokens), number)
    hunt.examples += 1
    hunt.requests += len(found.reading.requests)
    hunt.arrived += len(found.seen)
    amiss = judge(found, wire.stage)
    if amiss:
        hunt.first_found = hunt.first_found or hunt.examples
        raise WireBrokenError("; ".join(amiss))


def hold(wire: Wire, examples: int) -> Hunt:
    """Hold the property over so many examples, the same ones each time; it raises what it finds."""
    hunt = Hunt()

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(scripts())
    def holds(script: Script) -> None:
        try_script(wire, script, hunt)

    holds()
    return hunt


def hunt_for(wire: Wire, seconds: float, first_seed: int = 0) -> Hunt:
    """Go on with ever new examples until the time is over or something is found."""
    hunt, begun = Hunt(), time.monotonic()
    number = first_seed
    while hunt.finding is None and (left := seconds + begun - time.monotonic()) > 0:
        _round(wire, hunt, number, time.monotonic() + left)
        number += 1
    hunt.seconds = time.monotonic() - begun
    return hunt


def _round(wire: Wire, hunt: Hunt, number: int, ends_at: float) -> None:
    @seed(number)
    @settings(
        max_examples=_ROUND,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(scripts())
    def holds(script: Script) -> None:
        if hunt.finding is None or time.monotonic() < ends_at:
            try_script(wire, script, hunt)

    try:
        holds()
    except WireBrokenError as error:
        hunt.finding = f"{error} (seed {number}): {_falsifying(error)}"


def _falsifying(error: BaseException) -> str:
    """The example that hypothesis has shrunk to: marks stand for tokens in it."""
    notes = getattr(error, "__notes__", [])
    return " ".join(" ".join(notes).split())[:2000]
