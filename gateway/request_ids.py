"""Makes request ids: 128 random bits in hex, drawn from the system many at a time."""

import os
from collections.abc import Callable

_CHARACTERS = 32
_DRAWN_BYTES = 16 * 256


class RequestIds:
    """An endless supply of ids; call it for the next."""

    def __init__(self, draw: Callable[[int], bytes] = os.urandom) -> None:
        self._draw = draw
        self._text = ""
        self._at = 0

    def __call__(self) -> str:
        """Take the next id."""
        at = self._at
        if at == len(self._text):
            self._text, at = self._draw(_DRAWN_BYTES).hex(), 0
        self._at = end = at + _CHARACTERS
        return self._text[at:end]
