"""App access tokens: which are good, for how long, and what a new one does to the old.

The platforms differ in the three rules below and say which they follow.
"""

import secrets
from dataclasses import dataclass, replace

from gateway.clock import Clock
from gateway.simulator.bounded import Bounded

RENEW_EARLY_S = 300
"""A stable token is renewed in its last 5 minutes (platforms.md 1.2)."""

FORCED_APART_S = 30
FORCED_PER_DAY = 20
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Granted:
    """What a token is good for. `flavour`: which of a platform's kinds; Baidu's scope."""

    platform: str
    app_id: str
    flavour: str
    expires_at: float


class Tokens:
    """The tokens handed out, the newest `keep` of them."""

    def __init__(self, clock: Clock, keep: int) -> None:
        self._clock = clock
        self._granted: Bounded[str, Granted] = Bounded(keep)
        self._current: Bounded[tuple[str, str, str], str] = Bounded(keep)
        self._forced: Bounded[tuple[str, str], tuple[float, ...]] = Bounded(keep)

    def grant(
        self,
        platform: str,
        app_id: str,
        flavour: str,
        *,
        life_s: int,
        overlap_s: int | None,
        shape: str = "{}",
    ) -> str:
        """Make a new token; the one before lives `overlap_s` on, or out its life when None."""
        if overlap_s is not None:
            self._retire(platform, app_id, flavour, overlap_s)
        token = shape.format(secrets.token_urlsafe(96))
        self._granted[token] = Granted(platform, app_id, flavour, self._clock() + life_s)
        self._current[platform, app_id, flavour] = token
        return token

    def stable(self, platform: str, app_id: str, *, life_s: int) -> tuple[str, int]:
        """Give the same token while it lives, with the seconds it has left."""
        token = self._current.get((platform, app_id, "stable"))
        left_s = self._left_s(token)
        if token is not None and left_s > RENEW_EARLY_S:
            return token, left_s
        new = self.grant(platform, app_id, "stable", life_s=life_s, overlap_s=None)
        return new, life_s

    def may_force(self, platform: str, app_id: str) -> bool | None:
        """Say whether a forced renewal acts: None when it is over the day's number of them."""
        now = self._clock()
        forced = tuple(at for at in self._forced.get((platform, app_id), ()) if now - at < DAY_S)
        if len(forced) >= FORCED_PER_DAY:
            return None
        if forced and now - forced[-1] < FORCED_APART_S:
            return False
        self._forced[platform, app_id] = (*forced, now)
        return True

    def find(self, token: str, platform: str) -> Granted | None:
        """Find what a token is good for; it may have expired."""
        granted = self._granted.get(token)
        return granted if granted is not None and granted.platform == platform else None

    def has_expired(self, granted: Granted) -> bool:
        """Say whether a token's life is over."""
        return self._clock() >= granted.expires_at

    def _left_s(self, token: str | None) -> int:
        granted = self._granted.get(token) if token is not None else None
        return int(granted.expires_at - self._clock()) if granted is not None else 0

    def _retire(self, platform: str, app_id: str, flavour: str, overlap_s: int) -> None:
        token = self._current.get((platform, app_id, flavour))
        granted = self._granted.get(token) if token is not None else None
        if token is not None and granted is not None:
            ends_at = min(granted.expires_at, self._clock() + overlap_s)
            self._granted[token] = replace(granted, expires_at=ends_at)
