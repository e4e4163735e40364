"""Looks for known texts in outputs, in the forms in which a program may write them.

It must not know what the texts are secrets of.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

MIN_CHARACTERS = 10
"""A shorter text would be found by chance."""


@dataclass(frozen=True, slots=True)
class Output:
    """Something a gateway has said, and where; `may` names what has a right to stand in it."""

    place: str
    data: bytes
    may: frozenset[str] = frozenset()


def forms(text: str) -> Mapping[str, frozenset[bytes]]:
    """List how a text may be written, in lower case where its case may change.

    Raises: ValueError for a text that is too short to be looked for.
    """
    if len(text) < MIN_CHARACTERS:
        raise ValueError("too short")
    raw = text.encode()
    escaped = "".join(f"%{byte:02x}" for byte in raw).encode()
    quoted = quote(text, safe="").lower().encode()
    return {
        "plain": frozenset({raw.lower()}),
        "reversed": frozenset({raw[::-1].lower()}),
        "URL-encoded": frozenset({quoted, escaped} - {raw.lower()}),
        "hex": frozenset({raw.hex().encode(), raw.hex(":").encode(), raw.hex(" ").encode()}),
        "UTF-16": frozenset({text.lower().encode("utf-16-le"), text.lower().encode("utf-16-be")}),
    }


def base64_forms(text: str) -> frozenset[bytes]:
    """What base64 of a longer text holds, wherever in it this one stands; both alphabets."""
    found: set[bytes] = set()
    for skipped in range(3):
        whole = base64.b64encode(b"\0" * skipped + text.encode())
        # The first group mixes with what stands before, the last one with what follows.
        inner = whole[4 if skipped else 0 : len(whole) - 4]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return frozenset(found)


def leaks(outputs: Iterable[Output], markers: Mapping[str, str]) -> Iterator[str]:
    """Name each marker that an output holds and may not: place, marker, form; never its text."""
    sought = {name: (forms(text), base64_forms(text)) for name, text in markers.items()}
    for output in outputs:
        folded = output.data.lower()
        for name, (plain, packed) in sought.items():
            if name in output.may:
                continue
            for form, spellings in plain.items():
                if any(each in folded for each in spellings):
                    yield f"{output.place} holds the {name}, {form}"
            if any(each in output.data for each in packed):
                yield f"{output.place} holds the {name}, in base64"
