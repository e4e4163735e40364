"""Reads a JSON object out of bytes that somebody else wrote. Pure.

It decides what counts as readable: UTF-8 (a byte order mark is forgiven), RFC 8259 JSON, an
object at the top, finite numbers, no name twice. Two readers may take different values of a name
that stands twice, so such a text is refused (attacks.md S15). It must not know who sent it.
"""

import json
import math


def parse_object(text: bytes) -> dict[str, object] | None:
    """Return the object, or None for anything else.

    Nothing is raised, because the errors of `json` and of decoding carry the whole text.
    """
    try:
        value = json.loads(
            text.decode("utf-8-sig"),
            object_pairs_hook=_pairs_once,
            parse_constant=_refuse_constant,
            parse_float=_finite_float,
        )
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _pairs_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _refuse_constant(name: str) -> float:
    """NaN and Infinity are Python's additions, not JSON (RFC 8259 section 6)."""
    raise ValueError(f"{name} is not JSON")


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is out of range")
    return value
