"""What a session is. Pure values; design section 5.

It must not know tokens, stores or requests.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

Kind = Literal["user", "anonymous"]


@dataclass(frozen=True, slots=True)
class Subject:
    """Who somebody is to us: a platform, one of its apps, and the id given there.

    A guest's `id` is the anonymous openid. Ids differ per app, so the app id is part of the key.
    """

    platform: str
    app_id: str
    kind: Kind
    id: str

    def __str__(self) -> str:
        middle = "anonymous:" if self.kind == "anonymous" else ""
        return f"{self.platform}:{self.app_id}:{middle}{self.id}"


@dataclass(frozen=True, slots=True)
class Session:
    """The record of a login.

    `key` is base64url(SHA-256(session id)), 43 characters without padding: the store's key, the
    admin API's id and `X-Session-Id`. `app` is the app's name in the settings. All moments are
    seconds since the epoch. `openid` is None for a guest; `anonymous_openid` may stand beside it.

    A renewed session has a `successor`, the key of the session in its place, and goes on for a
    short while beside it. `created_at` is the moment of the login, and `origin` the key of the
    session that began with it, however often it was renewed: the sessions of one login are a
    family, and end together.
    """

    key: str
    subject: Subject
    app: str
    openid: str | None
    unionid: str | None
    anonymous_openid: str | None
    created_at: float
    expires_at: float
    last_used_at: float
    user_id: str | None = None
    origin: str = ""
    """Its own key, where none is given."""
    successor: str | None = None
    platform: str = field(init=False, compare=False, repr=False)
    is_anonymous: bool = field(init=False, compare=False, repr=False)
    # Worked out once, where first needed; a cached session is asked thousands of times.
    identity: str | None = field(default=None, init=False, compare=False, repr=False)
    """The lines of its identity headers, once they were built."""
    _trace: str | None = field(default=None, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.origin:
            object.__setattr__(self, "origin", self.key)
        # Every request asks these, and the subject is one more object to fetch from afar.
        object.__setattr__(self, "platform", self.subject.platform)
        object.__setattr__(self, "is_anonymous", self.subject.kind == "anonymous")

    @property
    def trace(self) -> str:
        """The subject as logs tell it: 12 hex digits, enough to follow a user, not to name one."""
        trace = self._trace
        if trace is None:
            trace = hash_subject(str(self.subject))
            object.__setattr__(self, "_trace", trace)
        return trace


def hash_subject(subject: str) -> str:
    """Shorten a subject to 12 hex digits."""
    return sha256(subject.encode()).hexdigest()[:12]
