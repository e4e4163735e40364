"""A dictionary that drops its oldest entry when full, so that nothing here grows without end."""

from collections import OrderedDict
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Bounded(OrderedDict[K, V]):
    """Keeps at most `keep` entries; the one first written goes first. Rewriting keeps its place."""

    def __init__(self, keep: int) -> None:
        super().__init__()
        self._keep = keep

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        while len(self) > self._keep:
            self.popitem(last=False)
