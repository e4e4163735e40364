"""The section on sessions of docs/performance.md, and how it takes the place of an older one. Pure.

It measures nothing.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from bench.stores.found import Delays, HotPath, StoreResult
from bench.text import NONE, table, tenth, whole

TITLE = "## Sessions"
_NEXT = re.compile(r"^## ", re.MULTILINE)
_BEFORE = "## What was tried"
"""What the section stands before where a page has none yet."""

_HEAD = """{title}

One worker on one core; client, simulator, service and Redis on another. "A core" is what one core
of the gateway's would do, kept busy: its CPU time tells it. A login goes through everything: the
client's request, the call of the simulator, the store. A look-up is a request with a session that
the worker does not remember.
"""
_DELAYS = """From the 204 of a logout at one gateway until the session was refused by another one,
and until a WebSocket open there got Close 4401. Asked every 2 ms.
"""


def render_sessions(found: Sequence[StoreResult]) -> str:
    """Return the section."""
    parts = [_HEAD.format(title=TITLE), _costs(found)]
    delays = list(_delays(found))
    if delays:
        head = ("store", "until", "p50, ms", "p99, ms", "longest, ms", "times")
        parts += [_DELAYS, table(head, delays, words=2)]
    parts += [_hot(one.name, one.hot_path) for one in found if one.hot_path is not None]
    return "\n".join(parts)


def put(page: str, section: str) -> str:
    """Put the section into a page, in the place of the one it has."""
    begin = page.find(f"{TITLE}\n")
    if begin < 0:
        begin = end = _find(page, _BEFORE)
    else:
        following = _NEXT.search(page, begin + len(TITLE))
        end = len(page) if following is None else following.start()
    return f"{page[:begin]}{section.strip()}\n\n{page[end:]}"


def _find(page: str, text: str) -> int:
    at = page.find(text)
    return len(page) if at < 0 else at


_Cell = Callable[[StoreResult], str]

_COSTS: dict[str, _Cell] = {
    "logins a second and core": lambda one: whole(one.logins.per_core_s) if one.logins else NONE,
    "logins a second, as measured": lambda one: whole(one.logins.per_s) if one.logins else NONE,
    "CPU time of a login, µs": lambda one: tenth(one.logins.cpu_us) if one.logins else NONE,
    "look-ups a second and core, nothing remembered": lambda one: (
        whole(one.look_ups.cold.per_core_s) if one.look_ups else NONE
    ),
    "look-ups a second, as measured": lambda one: (
        whole(one.look_ups.cold.per_s) if one.look_ups else NONE
    ),
    "CPU time of a request with a look-up, µs": lambda one: (
        tenth(one.look_ups.cold.cpu_us) if one.look_ups else NONE
    ),
    "the same, the session remembered": lambda one: (
        tenth(one.look_ups.warm.cpu_us) if one.look_ups else NONE
    ),
    "sessions kept": lambda one: whole(one.room.sessions) if one.room else NONE,
    "bytes of one, its sealed `session_key` and indexes with it": lambda one: (
        whole(one.room.each_bytes) if one.room else NONE
    ),
}


def _costs(found: Sequence[StoreResult]) -> str:
    head = ("", *(one.name for one in found))
    rows = ((title, *(cell(one) for one in found)) for title, cell in _COSTS.items())
    return table(head, rows)


def _delays(found: Sequence[StoreResult]) -> Iterator[tuple[str, ...]]:
    for one in found:
        if one.revocation is not None:
            yield _delay(one.name, "a request is refused", one.revocation.refused)
            yield _delay(one.name, "a WebSocket is closed", one.revocation.closed)


def _delay(name: str, until: str, delays: Delays) -> tuple[str, ...]:
    figures = (tenth(delays.ms(share)) for share in (0.5, 0.99, 1.0))
    return (name, until, *figures, whole(len(delays.times_s)))


def _hot(name: str, hot: HotPath) -> str:
    calls = ", ".join(f"{count} × `{call}`" for call, count in sorted(hot.calls.items()))
    said = f"the store got {calls}" if calls else "the store got no call"
    return f"{name}: over {whole(hot.requests)} proxied requests with remembered sessions {said}.\n"
