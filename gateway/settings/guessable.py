"""Whether a secret looks made up by hand: such a one can be guessed, or was read somewhere.

Pure. What a random generator makes is not taken for one: of keys with 32 characters, whatever the
alphabet, each rule meets fewer than one in a million.
"""

from itertools import pairwise
from typing import Final

FEWEST_DIFFERENT: Final = 6
"""32 random decimal digits have fewer different ones once in 17 million times."""
MOST_IN_A_ROW: Final = 0.75
"""The share of neighbours that are the same or follow each other: 123456789, abcdefgh."""
MOST_THE_SAME: Final = 0.75
"""The share of a secret that says the same again."""
FEW_TO_COMPARE: Final = 12
"""Fewer may agree in three of four by chance; then all must."""
WORDS: Final = (
    *(b"example", b"change", b"secret", b"password", b"passw0rd", b"default", b"replace"),
    *(b"letmein", b"iloveyou", b"adminadmin", b"admin123", b"administrator", b"characters"),
    *(
        b"gateway",
        b"company",
        b"placeholder",
        b"keygen",
        b"signing",
        b"encryption",
        b"qwerty",
        b"asdfgh",
        b"insert-",
    ),
    *(b"your-key", b"your_key", b"your-token", b"your_token", b"test-key", b"test_key"),
)
"""Of examples, of forms to fill in, of keyboards; six letters at least, for random ones."""


def looks_made_up(secret: bytes) -> bool:
    """Tell whether it holds a word, few different characters, a repetition or a row."""
    folded = secret.lower()
    return (
        any(word in folded for word in WORDS)
        or (folded.startswith(b"<") and folded.endswith(b">"))
        or len(set(folded)) < min(FEWEST_DIFFERENT, len(folded) // 4)
        or _is_repeated(folded)
        or _is_row(folded)
    )


def _is_repeated(secret: bytes) -> bool:
    """One piece again and again, the last time perhaps in part, and with a slip here and there."""
    lengths = range(1, (len(secret) + 1) // 2 + 1)
    return any(_resemble(secret[length:], secret) for length in lengths)


def _resemble(later: bytes, earlier: bytes) -> bool:
    same = sum(one == other for one, other in zip(later, earlier, strict=False))
    least = MOST_THE_SAME * len(later) if len(later) >= FEW_TO_COMPARE else len(later)
    return same >= least


def _is_row(secret: bytes) -> bool:
    """Most bytes stand beside their neighbours in the alphabet, upwards or downwards."""
    beside = sum(abs(one - other) <= 1 for one, other in pairwise(secret))
    return beside >= MOST_IN_A_ROW * (len(secret) - 1)
