"""Which secret to use: the one place for the rule of `next_secret` (design section 4).

An exchange is made once more only when the platform answered with an explicit wrong-secret
number: it refused before it looked at the code. What works is remembered, in memory and per
app, so that the next login asks with it first. It must not know any platform's numbers.
"""

from collections.abc import Callable
from typing import Literal, TypeVar

from gateway.errors import GatewayError
from gateway.platforms.api import Call, Line, Reply
from gateway.platforms.base import PlatformApp
from gateway.platforms.verdicts import SecretRefusedError

Slot = Literal["secret", "next_secret"]
T = TypeVar("T")

ACCEPTED = frozenset({"code_invalid", "user_blocked"})
"""Refusals that show the secret to be right: the platform looked at the code."""


class SecretRotation:
    """Asks with the secret that worked last, then with the other one."""

    def __init__(self) -> None:
        # The app as it was when its next_secret worked: other settings start afresh.
        self._moved_on: dict[str, PlatformApp] = {}

    def in_use(self, app: PlatformApp) -> Slot:
        """Say which of the app's secrets worked last."""
        return "next_secret" if self._moved_on.get(app.name) == app else "secret"

    async def ask(self, line: Line, build: Callable[[str], Call], read: Callable[[Reply], T]) -> T:
        """Build a call around a secret, send it and read the answer.

        Raises: GatewayError.
        """
        first, other = self._slots(line.app)
        try:
            return await self._ask_with(first, line, build, read)
        except SecretRefusedError:
            if other is None:
                raise
        return await self._ask_with(other, line, build, read)

    def _slots(self, app: PlatformApp) -> tuple[Slot, Slot | None]:
        if not app.next_secret or app.next_secret == app.secret:
            return "secret", None
        if self.in_use(app) == "next_secret":
            return "next_secret", "secret"
        return "secret", "next_secret"

    async def _ask_with(
        self, slot: Slot, line: Line, build: Callable[[str], Call], read: Callable[[Reply], T]
    ) -> T:
        call = build(_secret(line.app, slot))
        try:
            answer = read(await line.ask(call))
        except GatewayError as error:
            if error.code in ACCEPTED:
                self._remember(line.app, slot)
            raise
        self._remember(line.app, slot)
        return answer

    def _remember(self, app: PlatformApp, slot: Slot) -> None:
        if slot == "next_secret":
            self._moved_on[app.name] = app
        else:
            self._moved_on.pop(app.name, None)


def _secret(app: PlatformApp, slot: Slot) -> str:
    return (app.next_secret or "") if slot == "next_secret" else app.secret
