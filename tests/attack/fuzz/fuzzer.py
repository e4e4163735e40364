"""What a fuzzer is made of: the code it tries, what to begin with, and what must always hold.

It must not know how inputs are made (`drive`) or who runs it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

CASES = Path(__file__).parent / "cases"
"""A folder for each fuzzer; a file is one input that was found once, named for what it shows."""
MARKER = "MARKER/secret+of=the%fuzzers"
"""Stands for a secret; holds characters that no number, word or id of ours may have."""


class BrokenError(AssertionError):
    """Something that must always hold does not; the text says what, without the input."""


def must(holds: object, what: str) -> None:
    """Raise BrokenError unless it holds."""
    if not holds:
        raise BrokenError(what)


@dataclass(frozen=True, slots=True)
class Fuzzer:
    """One fuzzer. `check` takes any bytes and raises for what must not be.

    `modules` are the gateway's modules under fuzz, `seeds` whole inputs to begin with, `words`
    pieces that inputs are made of.
    """

    name: str
    title: str
    modules: tuple[str, ...]
    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...]
    max_bytes: int = 2048

    def cases(self) -> Iterator[tuple[str, bytes]]:
        """Give what was found once, by name."""
        for path in sorted((CASES / self.name).glob("*")):
            yield path.name, path.read_bytes()
