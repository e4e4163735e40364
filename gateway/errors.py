"""Outcomes a client or an operator can act on, and the one place where they become answers.

Pure: it knows no aiohttp. The codes are a contract (README, "Errors"); the shape is RFC 9457.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Side(StrEnum):
    """Whose turn it is to act when this outcome occurs."""

    CLIENT = "client"
    PLATFORM = "platform"
    UPSTREAM = "upstream"
    OURS = "ours"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a code means: its HTTP status, its title, and whose side it is on."""

    status: int
    title: str
    side: Side


OUTCOMES: Mapping[str, Outcome] = MappingProxyType(
    {
        "bad_request": Outcome(400, "The request cannot be understood", Side.CLIENT),
        "app_unknown": Outcome(400, "This app is not configured", Side.CLIENT),
        "token_conflict": Outcome(400, "The request carries two different tokens", Side.CLIENT),
        "target_refused": Outcome(400, "The request target is ambiguous", Side.CLIENT),
        "code_invalid": Outcome(401, "The login code is invalid, expired or used", Side.CLIENT),
        "session_missing": Outcome(401, "A session is required", Side.CLIENT),
        "session_invalid": Outcome(401, "The session token is not valid", Side.CLIENT),
        "session_expired": Outcome(401, "The session has expired", Side.CLIENT),
        "session_revoked": Outcome(401, "The session has been ended", Side.CLIENT),
        "user_blocked": Outcome(403, "This user is blocked", Side.CLIENT),
        "route_forbidden": Outcome(403, "This session may not enter here", Side.CLIENT),
        "route_not_found": Outcome(404, "Nothing is served here", Side.CLIENT),
        "method_not_allowed": Outcome(405, "This method is not served here", Side.CLIENT),
        "body_too_large": Outcome(413, "The request body is too large", Side.CLIENT),
        "target_too_long": Outcome(414, "The request target is too long", Side.CLIENT),
        "data_unreadable": Outcome(422, "The encrypted data cannot be opened", Side.CLIENT),
        "rate_limited": Outcome(429, "Too many requests", Side.CLIENT),
        "headers_too_large": Outcome(431, "The request headers are too large", Side.CLIENT),
        "internal_error": Outcome(500, "The gateway failed", Side.OURS),
        "platform_error": Outcome(502, "The platform answered with an error", Side.PLATFORM),
        "platform_config": Outcome(502, "The platform refused our app settings", Side.OURS),
        "upstream_error": Outcome(502, "The service gave no valid answer", Side.UPSTREAM),
        "platform_busy": Outcome(503, "The platform is busy", Side.PLATFORM),
        "store_unavailable": Outcome(503, "Sessions cannot be looked up now", Side.OURS),
        "upstream_unavailable": Outcome(503, "The service cannot be reached", Side.UPSTREAM),
        "overloaded": Outcome(503, "The gateway is at its limit", Side.OURS),
        "platform_timeout": Outcome(504, "The platform did not answer in time", Side.PLATFORM),
        "upstream_timeout": Outcome(504, "The service did not answer in time", Side.UPSTREAM),
    }
)

SESSION_CODES = frozenset(code for code in OUTCOMES if code.startswith("session_"))
TRY_AGAIN_AFTER_S: Mapping[str, int] = MappingProxyType(
    {"rate_limited": 60, "platform_busy": 5, "store_unavailable": 1, "overloaded": 1}
)
"""Seconds told in `Retry-After` where the raiser knows nothing better."""


class GatewayError(Exception):
    """A request ends here, with this stable code.

    `detail` names the thing and the remedy; it never holds a token, code, key, secret or openid.
    `platform_code` is the platform's own error number. `allow` lists methods, for a 405.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        platform_code: int | str | None = None,
        retry_after_s: int | None = None,
        allow: tuple[str, ...] = (),
    ) -> None:
        super().__init__(code, detail)
        self.code = code
        self.outcome = OUTCOMES[code]
        self.detail = detail
        self.platform_code = platform_code
        self.retry_after_s = retry_after_s or TRY_AGAIN_AFTER_S.get(code)
        self.allow = allow

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else self.code


def wrong_method(allow: tuple[str, ...]) -> GatewayError:
    """Say which methods are served here (RFC 9110 15.5.6)."""
    return GatewayError("method_not_allowed", f"this path takes {', '.join(allow)}", allow=allow)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer ready to be written: status, header fields in order, body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def render(error: GatewayError, request_id: str) -> Answer:
    """Turn an outcome into its answer (RFC 9457; RFC 9110 11.6.1, 15.5.6, 10.2.3)."""
    outcome = error.outcome
    problem: dict[str, object] = {
        "type": f"urn:gateway:error:{error.code}",
        "title": outcome.title,
        "status": outcome.status,
        "detail": error.detail or outcome.title,
        "code": error.code,
        "request_id": request_id,
    }
    headers = [
        ("Content-Type", "application/problem+json"),
        ("Cache-Control", "no-store"),
        ("X-Gateway-Error", error.code),
        ("X-Request-Id", request_id),
    ]
    if error.platform_code is not None:
        problem["platform_code"] = error.platform_code
    if error.code in SESSION_CODES:
        headers.append(("WWW-Authenticate", "Bearer"))
    if error.code == "method_not_allowed":  # empty where the whole gateway serves it nowhere
        headers.append(("Allow", ", ".join(error.allow)))
    if error.retry_after_s is not None:
        headers.append(("Retry-After", str(error.retry_after_s)))
    text = json.dumps(problem, ensure_ascii=False, separators=(",", ":"))
    # A platform's number may be any text, half a surrogate pair too; UTF-8 cannot write that.
    body = text.encode("utf-8", "replace")
    return Answer(outcome.status, tuple(headers), body)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in the settings: where, what was found, what is allowed."""

    path: str
    line: int | None
    found: str
    allowed: str
    file: str | None = None

    def __str__(self) -> str:
        place = f"{self.file or 'settings'}:{self.line}" if self.line else (self.file or "settings")
        return f"{place}: {self.path or '(top level)'}: found {self.found}; allowed: {self.allowed}"


class SettingsError(Exception):
    """The settings cannot be used; all problems are listed at once. Not a request's outcome."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
