"""Cuts bytes into pieces as two bytes of an input say, so that pieces can be fuzzed, too."""

from itertools import pairwise

_IN_TWO = 0xF0


def cut_by(seed: bytes, data: bytes) -> list[bytes]:
    """Cut into pieces of equal size, the first another; or, from 0xF0 on, into two."""
    if seed[:1] >= bytes((_IN_TWO,)):
        middle = seed[-1] * len(data) // 256
        return [each for each in (data[:middle], data[middle:]) if each]
    size, first = (seed[0] % 24 + 1, seed[1] % 24) if len(seed) > 1 else (1, 0)
    cuts = [0, *range(first or size, len(data), size), len(data)]
    return [data[a:b] for a, b in pairwise(cuts) if a < b]
