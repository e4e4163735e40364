"""App access tokens, kept in memory per app until shortly before they expire.

It decides when a token is asked for: when there is none, when it is about to expire, or when the
platform refused it. However many logins want one at once, one call is made. It must not know
where a platform gives its tokens or what they look like.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.platforms.api import Call, Line, Reply
from gateway.platforms.base import PlatformApp
from gateway.platforms.rotation import SecretRotation

MARGIN_S = 300  # WeChat and Douyin let an old token live this long; nobody promises more
LEAST_LIFE_S = 60  # a token of a shorter life is used, not kept


@dataclass(frozen=True, slots=True)
class AppToken:
    """An app access token as the platform gave it."""

    value: str = field(repr=False)
    expires_in_s: int


@dataclass(frozen=True, slots=True)
class _Kept:
    app: PlatformApp
    token: AppToken
    until: float


class AppTokens:
    """One platform's tokens; `build` makes the call for one from the app and a secret."""

    def __init__(
        self,
        rotation: SecretRotation,
        clock: Clock,
        build: Callable[[PlatformApp, str], Call],
        read: Callable[[Reply], AppToken],
    ) -> None:
        self._rotation = rotation
        self._clock = clock
        self._build = build
        self._read = read
        self._kept: dict[str, _Kept] = {}
        # A waiting login gets the leader's outcome, or None when the leader was cancelled.
        self._underway: dict[PlatformApp, asyncio.Future[AppToken | GatewayError | None]] = {}

    async def get(self, line: Line, instead_of: AppToken | None = None) -> AppToken:
        """Return a token of the line's app, other than `instead_of`, which was refused.

        Raises: GatewayError.
        """
        while True:
            kept = self._find(line.app)
            if kept is not None and kept is not instead_of:
                return kept
            underway = self._underway.get(line.app)
            if underway is None:
                return await self._lead(line)
            outcome = await asyncio.shield(underway)
            if isinstance(outcome, GatewayError):
                raise outcome
            if outcome is not None:
                return outcome

    def _find(self, app: PlatformApp) -> AppToken | None:
        kept = self._kept.get(app.name)
        if kept is None or kept.app != app or kept.until <= self._clock():
            return None
        return kept.token

    async def _lead(self, line: Line) -> AppToken:
        underway = asyncio.get_running_loop().create_future()
        self._underway[line.app] = underway
        outcome: AppToken | GatewayError | None = None
        try:
            outcome = await self._fetch(line)
        except GatewayError as error:
            outcome = error
            raise
        finally:
            del self._underway[line.app]
            underway.set_result(outcome)
        return outcome

    async def _fetch(self, line: Line) -> AppToken:
        token = await self._rotation.ask(
            line, lambda secret: self._build(line.app, secret), self._read
        )
        margin_s = min(MARGIN_S, token.expires_in_s // 2)
        if token.expires_in_s >= LEAST_LIFE_S:
            until = self._clock() + token.expires_in_s - margin_s
            self._kept[line.app.name] = _Kept(line.app, token, until)
        return token
