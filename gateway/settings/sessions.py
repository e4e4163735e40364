"""The settings of sessions and of login.

Pure; design sections 3 and 5.
"""

from typing import Annotated

from pydantic import Field

from gateway.settings.addresses import ApiBase
from gateway.settings.part import Part
from gateway.settings.scalars import Flag, Text, given, matching, whole
from gateway.settings.units import Duration, DurationOrZero, RateText
from gateway.settings.vault import EncryptionKey, Secret, SigningKey, StoreAddress

MAX_KEYS = 5  # each is tried when a token is verified
MAX_CACHE = 100_000_000
MAX_PER_SUBJECT = 1000

_URL = matching(r"https?://[A-Za-z0-9._\[\]:-]+(/[^\s#@]*)?", "an http or https URL")
_COOKIE = matching(r"[A-Za-z0-9_.-]{1,64}", "a cookie's name: letters, digits and _ . -")


class CookieSettings(Part):
    """A session cookie for H5 pages; mini-programs keep no cookies."""

    name: Annotated[str, _COOKIE]
    origins: Annotated[tuple[ApiBase, ...], Field(min_length=1)]
    """Origins whose pages may ask for the cookie."""


class SessionSettings(Part):
    """Tokens, sessions, and where they are kept."""

    signing_keys: Annotated[tuple[SigningKey, ...], Field(max_length=MAX_KEYS)] = ()
    """Newest first: the first signs, all verify. Each at least 32 characters."""
    encryption_keys: Annotated[tuple[EncryptionKey, ...], Field(max_length=MAX_KEYS)] = ()
    """For session_key at rest: 32 bytes in base64 each, newest first."""
    store: StoreAddress = given("sqlite:data/gateway.db")
    """sqlite:path (a relative one counts from the settings file), or Redis: docs/redis.md."""
    lifetime: Duration = given("30d")
    """Of a token."""
    max_lifetime: Duration = given("180d")
    """From the login, however often renewed."""
    idle_timeout: Duration | None = given("7d")
    """Since last use; null is off."""
    grace: DurationOrZero = given("5m")
    """How long cached sessions go on when the store is away."""
    cache: Annotated[int, whole(0, MAX_CACHE)] = 100000
    """Sessions kept in memory per process, some 1.5 KB each; 0 asks the store each time."""
    max_per_subject: Annotated[int, whole(1, MAX_PER_SUBJECT)] = 10
    """Sessions of one user in one app; the newest are kept."""
    expose_openid: Flag = False
    """Whether /login and /session tell the client its openid."""
    cookie: CookieSettings | None = None


class LoginLimits(Part):
    """Logins taken, before any outbound call."""

    per_ip: RateText | None = given("600/1m")
    """Of one client address, IPv6 by /64; generous, since carriers share addresses. null is off."""
    per_app: RateText | None = given("20000/1m")
    """Of one app; null is off. In Redis these count for all; with SQLite each worker counts."""
    total: RateText | None = given("50000/1m")
    """Of all apps together; null is off."""


class CallbackSettings(Part):
    """A service that is told of each login."""

    url: Annotated[str, _URL]
    secret: Secret
    timeout: Duration = given("3s")
    required: Flag = False
    """Whether a callback that fails also fails the login."""


class LoginSettings(Part):
    """How a login is done."""

    limits: LoginLimits = given({})
    timeout: Duration = given("5s")
    """Of the call to the platform."""
    callback: CallbackSettings | None = None


class DecryptSettings(Part):
    """What /decrypt takes."""

    max_age: Duration | None = None
    """How old the data may be."""
    per_session: RateText = given("60/1m")


class IdentitySettings(Part):
    """Who signs assertions and proofs."""

    issuer: Text
    signing_keys: Annotated[tuple[Secret, ...], Field(min_length=1, max_length=MAX_KEYS)]
    """Ed25519 private keys, newest first."""
