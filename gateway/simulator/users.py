"""Who has logged in where, and the session_keys they were given, newest first."""

from dataclasses import dataclass, field

from gateway.simulator.bounded import Bounded
from gateway.simulator.shapes import new_session_key, openid

SESSION_KEYS_KEPT = 10
"""Old keys are remembered, so that data sealed under one can be made (platforms.md 1.3)."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in one app. `session_keys`: newest first; only the first is good at the platform."""

    app_id: str
    user: str
    openid: str
    session_keys: tuple[str, ...] = field(repr=False)


class Users:
    """Everybody who logged in, the newest `keep` of them."""

    def __init__(self, keep: int) -> None:
        self._people: Bounded[tuple[str, str, str], Person] = Bounded(keep)

    def login(self, platform: str, app_id: str, user: str) -> Person:
        """Give a user a new session_key, which retires the one before."""
        name = openid(platform, app_id, user)
        before = self._people.get((platform, app_id, name))
        older = before.session_keys[: SESSION_KEYS_KEPT - 1] if before else ()
        person = Person(app_id, user, name, (new_session_key(platform), *older))
        self._people[platform, app_id, name] = person
        return person

    def find(self, platform: str, app_id: str, name: str) -> Person | None:
        """Find somebody by openid."""
        return self._people.get((platform, app_id, name))
