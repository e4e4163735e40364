"""What is made of parts that are opened in order, and closed in the opposite one."""

from abc import ABC, abstractmethod
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self


class Stacked(ABC):
    """`async with` it: `_open` puts each part on `_stack`; a failure closes what stands by then."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()

    @abstractmethod
    async def _open(self) -> None:
        """Open the parts, each put on the stack as soon as it stands."""

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()
