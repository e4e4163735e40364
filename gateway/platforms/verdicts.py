"""What a platform's error number means to us: the classes, and how each becomes an outcome. Pure.

The classes are those of platforms.md; two are split. DAY is a RATE that lasts longer than a
minute. SECRET is the CONFIG that names the secret itself, after which `next_secret` may be
tried. Each platform's file holds its own table; this file must not know any number.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from gateway.errors import GatewayError
from gateway.platforms.api import Reply, unreadable


class Verdict(Enum):
    """The classes of platforms.md, with what a client or operator is told to do."""

    CODE = "call login again for a new code"
    BAD = "the request lacks something"
    BLOCKED = "the platform refuses this user"
    RATE = "wait a minute"
    DAY = "wait; the quota is used up"
    BUSY = "try again with a new code"
    CONFIG = "check this app's settings at the platform"
    SECRET = "check this app's secret"  # noqa: S105 - advice, not a password
    TOKEN = "check this app's access token and its permissions"  # noqa: S105 - advice
    UNKNOWN = "the platform gave a number we do not know"


OUTCOME_OF: Mapping[Verdict, str] = MappingProxyType(
    {
        Verdict.CODE: "code_invalid",
        Verdict.BAD: "bad_request",
        Verdict.BLOCKED: "user_blocked",
        Verdict.RATE: "rate_limited",
        Verdict.DAY: "rate_limited",
        Verdict.BUSY: "platform_busy",
        Verdict.CONFIG: "platform_config",
        Verdict.SECRET: "platform_config",
        Verdict.TOKEN: "platform_config",
        Verdict.UNKNOWN: "platform_error",
    }
)
RETRY_AFTER_S: Mapping[Verdict, int] = MappingProxyType({Verdict.RATE: 60, Verdict.DAY: 3600})
"""Minute quotas end with the minute. No platform tells when its day ends: an hour is a guess."""

MAX_DIGITS = 12  # the longest number of any table has 9
_NUMBER = re.compile(rf"-?[0-9]{{1,{MAX_DIGITS}}}")
_WORD = re.compile(r"[a-z_]{1,64}")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a platform's table: its class, and its meaning in words a client may read."""

    verdict: Verdict
    meaning: str


Table = Mapping[int, Row]
UNLISTED = Row(Verdict.UNKNOWN, "an error that our table does not list")


class SecretRefusedError(GatewayError):
    """The platform said that the secret is wrong, before it looked at the code."""


class TokenRefusedError(GatewayError):
    """The platform said that our access token is wrong, before it looked at the code."""


_KINDS: Mapping[Verdict, type[GatewayError]] = MappingProxyType(
    {Verdict.SECRET: SecretRefusedError, Verdict.TOKEN: TokenRefusedError}
)


def read_number(value: object) -> int | None:
    """Read a platform's number leniently: 40029, "40029" and 40029.0 are the same; else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        value = int(value) if value.is_integer() else None
    if isinstance(value, str):
        value = int(value) if _NUMBER.fullmatch(value.strip()) else None
    return value if isinstance(value, int) and abs(value) < 10**MAX_DIGITS else None


def read_word(value: object) -> str | None:
    """Read an OAuth error word such as invalid_grant (RFC 6749 section 5.2); else None."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def refusal(
    platform: str, number: int | str | None, row: Row = UNLISTED, trace: str = ""
) -> GatewayError:
    """Build the outcome of a refused exchange; `trace` is the platform's own request id."""
    label = f"{platform} {number}" if number is not None else platform
    request = f" (its request id: {trace})" if trace else ""
    return _KINDS.get(row.verdict, GatewayError)(
        OUTCOME_OF[row.verdict],
        f"{label}: {row.meaning}; {row.verdict.value}{request}",
        platform_code=number,
        retry_after_s=RETRY_AFTER_S.get(row.verdict),
    )


def refusal_by_number(platform: str, value: object, table: Table, trace: str = "") -> GatewayError:
    """Look up a number that does not mean success; one that is no number is unlisted."""
    number = read_number(value)
    row = table.get(number, UNLISTED) if number is not None else UNLISTED
    return refusal(platform, number, row, trace)


def check_success_status(reply: Reply) -> None:
    """Refuse an answer without an error number when its HTTP status denies success.

    Raises: GatewayError (platform_busy, rate_limited, platform_error).
    """
    if not 200 <= reply.status < 300:  # RFC 9110 15.3
        raise unreadable(reply.status)
