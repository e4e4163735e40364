"""How tables and numbers look in Markdown. Pure."""

import math
from collections.abc import Iterable, Sequence

NONE = "–"
"""What stands where nothing was measured."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """Return a table; the first `words` columns are text, the others numbers, to the right."""
    rule = ["---" if place < words else "--:" for place in range(len(head))]
    lines = (head, rule, *rows)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def ratio(value: float | None) -> str:
    """Return a ratio to two places."""
    return NONE if value is None or math.isnan(value) else f"{value:.2f}"


def whole(value: float) -> str:
    """Return a number without places, thousands apart."""
    return f"{value:,.0f}"


def tenth(value: float) -> str:
    """Return a number to one place."""
    return f"{value:,.1f}"


def hundredth(value: float) -> str:
    """Return a number to two places."""
    return f"{value:,.2f}"


def mib(value: float) -> str:
    """Return bytes as MiB."""
    return f"{value / 1024**2:,.1f}"
