"""Cuts a case's bytes in two segments, at places that depend on its title and nothing else.

It must not know what should come of them.
"""

import zlib

from tests.attack.model import Pause, Step

CUTS = ("in its head", "at its head's end", "behind its head")
"""Where, in words; the number of a cut counts from 1."""
PAUSE_S = 0.002
_END = b"\r\n\r\n"


def in_two(data: bytes, title: str, cut: int) -> list[Step]:
    """Cut data; the second segment comes a little later."""
    at = _place(data, zlib.crc32(title.encode()), cut)
    return [data[:at], Pause(PAUSE_S), data[at:]]


def _place(data: bytes, number: int, cut: int) -> int:
    """Choose an offset within the bytes, so that neither piece is empty."""
    found = data.find(_END)
    end = len(data) if found < 0 else found + len(_END)
    behind = len(data) - end
    places = (
        1 + number % max(1, end - len(_END)),
        end - 3 + number % 3,
        # Where nothing is behind it, the request line is cut: all that follows it comes later.
        end + 1 + number % (behind - 1) if behind > 1 else data.find(b"\n") + number % 2,
    )
    return min(max(places[cut - 1], 1), len(data) - 1)
