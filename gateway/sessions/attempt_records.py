"""How a login attempt is named and written down, so that its code is exchanged once by all.

Decides what a note of an attempt says and for how long, and under which name it stands. Pure. It
must not know platforms' calls, stores or requests. Design section 4, "Login rules".

Neither name nor note tells the code or the client's key: both are there as hashes. A session's id
is there only sealed, its token never.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite

from gateway.errors import OUTCOMES, GatewayError
from gateway.sessions.token import MAX_AHEAD_S, session_key_of

KEPT_S = 120.0
"""How long a code counts as used here, and its answer is given again to who has the key."""
SHORT_S = 1.0
"""How long a refusal that left the code unused is told: to those who waited for it."""
MAX_DETAIL_CHARACTERS = 400
"""Of a refusal's words; JSON may write six bytes for each, and a note is small."""

_USED_UP = frozenset({"code_invalid", "platform_timeout", "platform_error", "internal_error"})
"""Refusals after which a code may not be sent again: used, or its bytes may have arrived."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One login. `names` are its codes', `key_hash` is the `Idempotency-Key`'s, if any.

    All its codes go out in one exchange; the first one's name stands for the login. `timeout_s`
    bounds the exchange at the platform.
    """

    names: tuple[str, ...]
    key_hash: str | None
    timeout_s: float

    @property
    def name(self) -> str:
        """The first code's."""
        return self.names[0]


@dataclass(frozen=True, slots=True)
class Running:
    """Somebody exchanges the code, and has until then."""

    owner: str
    until: float


@dataclass(frozen=True, slots=True)
class Done:
    """The code became a session; its id is kept for who brings the key."""

    key_hash: str | None = None
    sealed_id: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Failed:
    """The exchange ended so. After `until` there is no more to say than that the code is used.

    `is_free`: or that it may be exchanged, since it was left unused.
    """

    code: str
    until: float
    detail: str = ""
    platform_code: int | str | None = None
    retry_after_s: int | None = None
    is_free: bool = False

    def error(self) -> GatewayError:
        """Build the refusal anew, for one more client."""
        return GatewayError(
            self.code,
            self.detail,
            platform_code=self.platform_code,
            retry_after_s=self.retry_after_s,
        )


Record = Running | Done | Failed


def attempt_of(
    platform: str,
    app_id: str,
    codes: Sequence[tuple[str, str]],
    key: str | None,
    timeout_s: float,
) -> Attempt:
    """Name an attempt; `codes` are pairs of a field and the code in it, `key` the
    `Idempotency-Key`. At least one code; all logins name their fields in the same order, so that
    none wait for each other."""
    names = tuple(_hash("login-attempt.v1", platform, app_id, *code) for code in codes)
    key_hash = None if key is None else _hash("login-key.v1", names[0], key)
    return Attempt(names, key_hash, timeout_s)


def _hash(*parts: str) -> str:
    # JSON keeps the parts apart, whatever stands in them.
    return session_key_of(json.dumps(parts))


def used() -> GatewayError:
    """Say that a code is used."""
    return GatewayError("code_invalid", "the code has been used; call login again for a new code")


def settle(error: GatewayError, now: float, *, is_exchanged: bool) -> tuple[Failed, float]:
    """Write a refusal down; return it, and until when its note lives.

    `is_exchanged`: the platform had taken the code before, so it may not be sent again, though
    this refusal itself is soon over.
    """
    is_used_up = error.code in _USED_UP
    is_free = not is_used_up and not is_exchanged
    failed = _failed(error, now + (KEPT_S if is_used_up else SHORT_S), is_free=is_free)
    return failed, failed.until + MAX_AHEAD_S if is_free else now + KEPT_S


def release(error: GatewayError, now: float) -> tuple[Failed, float]:
    """Write down why a code was not sent, whatever the reason; else as `settle`."""
    failed = _failed(error, now + SHORT_S, is_free=True)
    return failed, failed.until + MAX_AHEAD_S


def _failed(error: GatewayError, until: float, *, is_free: bool) -> Failed:
    return Failed(
        code=error.code,
        until=until,
        detail=error.detail[:MAX_DETAIL_CHARACTERS],
        platform_code=error.platform_code,
        retry_after_s=error.retry_after_s,
        is_free=is_free,
    )


def is_over(value: bytes, now: float) -> bool:
    """Whether a note says no more than that its code may be exchanged.

    It stands `MAX_AHEAD_S` longer than it says something, so that those who waited can still read
    it where their clock is ahead. Raises: GatewayError store_unavailable.
    """
    record = load(value)
    return isinstance(record, Failed) and record.is_free and now >= record.until


# -- notes ----------------------------------------------------------------------------------------


def dump(record: Record) -> bytes:
    """Write a record as a note."""
    match record:
        case Running(owner, until):
            fields: dict[str, object] = {"state": "running", "owner": owner, "until": until}
        case Done(key_hash, sealed_id):
            sealed = None if sealed_id is None else b64encode(sealed_id).decode("ascii")
            fields = {"state": "done", "key": key_hash, "sealed": sealed}
        case Failed(code, until, detail, platform_code, retry_after_s, is_free):
            fields = {"state": "failed", "code": code, "until": until, "detail": detail}
            fields |= {"platform_code": platform_code, "retry_after_s": retry_after_s}
            fields["free"] = is_free
    return json.dumps(fields).encode("ascii")


def load(value: bytes) -> Record:
    """Read a note. Raises: GatewayError store_unavailable, for one that is not ours."""
    try:
        return _read(json.loads(value))
    except (ValueError, RecursionError):
        raise _unreadable() from None


def _read(fields: object) -> Record:
    match fields:
        case {"state": "running", "owner": str() as owner, "until": float() as until}:
            return Running(owner, _moment(until))
        case {"state": "done", "key": None, "sealed": None}:
            return Done()
        case {"state": "done", "key": str() as key_hash, "sealed": str() as sealed}:
            return Done(key_hash, b64decode(sealed, validate=True))
        case {
            "state": "failed",
            "code": str() as code,
            "until": float() as until,
            "detail": str() as detail,
            "platform_code": int() | str() | None as platform_code,
            "retry_after_s": int() | None as retry_after_s,
            "free": bool() as is_free,
        } if code in OUTCOMES:
            return Failed(code, _moment(until), detail, platform_code, retry_after_s, is_free)
    raise _unreadable()


def _moment(value: float) -> float:
    """Refuse what no clock shows: it would never be over."""
    if not isfinite(value):
        raise _unreadable()
    return value


def _unreadable() -> GatewayError:
    return GatewayError("store_unavailable", "a note in the session store cannot be read")
