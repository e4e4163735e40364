"""Which calls shall go wrong, and what that makes of an answer (design section 11).

Numbers come from the platforms' own tables; where a table has none for a kind, the kind cannot be
asked for there. It must not know how a fault is asked for or written to the wire.
"""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

from gateway.simulator.calls import Answer, CallKind, Number

NUMBERED = ("busy", "rate", "blocked", "secret")
"""Faults that are a number of the platform's own."""

KINDS = (
    *NUMBERED,
    "number",  # an explicit number
    "string_number",  # numbers written as strings, as one WeChat sample has it (platforms.md 1.1)
    "slow",  # the answer comes late; the code is used up at once
    "garbage",  # HTML with 200
    "empty",  # 200 without a body, seen at WeChat in 2017 (platforms.md 1.1)
    "huge",  # a good answer of more than 1 MiB
    "bad_openid",  # an openid with CR LF
    "redirect",  # 307 to the same target, the code untouched
    "drop",  # the connection ends without an answer; the code is used up
)

MAX_TIMES = 100_000
MAX_QUEUED = 100
DEFAULT_SLOW_S = 30.0
MAX_SLOW_S = 60.0
HUGE_BYTES = 1024 * 1024 + 1
BAD_OPENID = "o1\r\nX-OpenId: somebody-else"
GARBAGE = b"<html><head><title>502 Bad Gateway</title></head><body>busy</body></html>"
NUMBER_FIELDS = frozenset({"errcode", "err_no", "error", "errno", "error_code", "result"})


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, how often, and with which number (None: what the platform would say)."""

    kind: str
    times: int = 1
    number: Number | None = None
    slow_s: float = DEFAULT_SLOW_S


@dataclass(frozen=True, slots=True)
class Wire:
    """An answer as it is written."""

    status: int
    content_type: str
    body: bytes


class Faults:
    """Faults waiting for their calls, in the order they were asked for."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, CallKind], deque[Fault]] = {}

    def add(self, platform: str, call: CallKind, fault: Fault) -> bool:
        """Let the next calls go wrong; False if too many faults wait already."""
        waiting = self._waiting.setdefault((platform, call), deque())
        if len(waiting) >= MAX_QUEUED:
            return False
        waiting.append(fault)
        return True

    def take(self, platform: str, call: CallKind) -> Fault | None:
        """Say what goes wrong with this call, and count it."""
        waiting = self._waiting.get((platform, call))
        if not waiting:
            return None
        fault = waiting.popleft()
        if fault.times > 1:
            waiting.appendleft(replace(fault, times=fault.times - 1))
        return fault

    def clear(self) -> None:
        """Let all calls go right again."""
        self._waiting.clear()


def spoil(answer: Answer, kind: str) -> Wire:
    """Write an answer as this kind of fault leaves it."""
    match kind:
        case "garbage":
            return Wire(200, "text/html", GARBAGE)
        case "empty":
            return Wire(200, "text/html", b"")
        case "huge":
            return wire(replace(answer, payload={**answer.payload, "padding": "x" * HUGE_BYTES}))
        case "bad_openid":
            return wire(replace(answer, payload=_with_bad_openid(answer.payload)))
        case "string_number":
            return wire(replace(answer, payload=_with_strings(answer.payload)))
        case _:
            return wire(answer)


def wire(answer: Answer) -> Wire:
    """Write an answer as it is."""
    return Wire(answer.status, answer.content_type, answer.body)


def _with_bad_openid(payload: Mapping[str, object]) -> dict[str, object]:
    spoilt: dict[str, object] = json.loads(json.dumps(payload))
    inner = spoilt.get("data")
    for place in (spoilt, inner if isinstance(inner, dict) else {}):
        for name in ("openid", "open_id"):
            if place.get(name):
                place[name] = BAD_OPENID
    return spoilt


def _with_strings(payload: Mapping[str, object]) -> dict[str, object]:
    # WeChat's sample of a success prints errcode too (platforms.md 1.1).
    whole = {"errcode": 0, **payload} if "openid" in payload else payload
    return {
        name: str(value) if name in NUMBER_FIELDS and isinstance(value, int) else value
        for name, value in whole.items()
    }
