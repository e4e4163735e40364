"""Outcomes and their answers: the table of design section 6, and what an answer may hold."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import (
    OUTCOMES,
    SESSION_CODES,
    Answer,
    GatewayError,
    Problem,
    SettingsError,
    Side,
    render,
)

REQUEST_ID = "0123456789abcdef"
DESIGN = {
    400: "bad_request app_unknown token_conflict target_refused",
    401: "code_invalid session_missing session_invalid session_expired session_revoked",
    403: "user_blocked route_forbidden",
    404: "route_not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    414: "target_too_long",
    422: "data_unreadable",
    429: "rate_limited",
    431: "headers_too_large",
    500: "internal_error",
    502: "platform_error platform_config upstream_error",
    503: "platform_busy store_unavailable upstream_unavailable overloaded",
    504: "platform_timeout upstream_timeout",
}
"""Design section 6, and 500, which no client can bring about."""


def body_of(answer: Answer) -> dict[str, object]:
    """The problem document."""
    read: dict[str, object] = json.loads(answer.body.decode("utf-8"))
    return read


def values(answer: Answer, name: str) -> list[str]:
    return [value for key, value in answer.headers if key == name]


@pytest.mark.parametrize("status", DESIGN)
def test_the_codes_of_a_status_are_the_designs(status: int) -> None:
    """Codes and statuses are a contract."""
    ours = {code for code, outcome in OUTCOMES.items() if outcome.status == status}
    assert ours == set(DESIGN[status].split())


def test_there_are_no_other_codes() -> None:
    """What is not in the table cannot be raised."""
    assert set(OUTCOMES) == set(" ".join(DESIGN.values()).split())
    with pytest.raises(KeyError):
        GatewayError("teapot")


@pytest.mark.parametrize("code", OUTCOMES)
def test_header_and_body_say_the_same(code: str) -> None:
    """RFC 9457: type, title, status, detail, code, request_id; nothing may be cached."""
    answer = render(GatewayError(code), REQUEST_ID)
    body = body_of(answer)
    assert answer.status == body["status"] == OUTCOMES[code].status
    assert values(answer, "X-Gateway-Error") == [body["code"]] == [code]
    assert values(answer, "X-Request-Id") == [body["request_id"]] == [REQUEST_ID]
    assert values(answer, "Content-Type") == ["application/problem+json"]
    assert values(answer, "Cache-Control") == ["no-store"]
    assert body["type"] == f"urn:gateway:error:{code}"
    assert body["title"] == body["detail"] == OUTCOMES[code].title
    assert "platform_code" not in body


@pytest.mark.parametrize("code", OUTCOMES)
def test_fields_that_belong_to_a_status(code: str) -> None:
    """A challenge with every session_*, Allow with 405, Retry-After where trying again helps."""
    answer = render(GatewayError(code), REQUEST_ID)
    is_session = code.startswith("session_")
    assert values(answer, "WWW-Authenticate") == (["Bearer"] if is_session else [])
    assert len(values(answer, "Allow")) == (OUTCOMES[code].status == 405)
    repeatable = {"rate_limited", "platform_busy", "store_unavailable", "overloaded"}
    assert len(values(answer, "Retry-After")) == (code in repeatable)
    assert (code in SESSION_CODES) == is_session


@pytest.mark.parametrize("code", OUTCOMES)
def test_the_side_fits_the_status(code: str) -> None:
    """4xx is the client's turn; 5xx is ours, the platform's or the service's."""
    outcome = OUTCOMES[code]
    assert (outcome.side is Side.CLIENT) == (outcome.status < 500)


def test_a_405_lists_the_methods() -> None:
    """RFC 9110 15.5.6; an empty list where the whole gateway serves the method nowhere."""
    answer = render(GatewayError("method_not_allowed", allow=("GET", "HEAD")), REQUEST_ID)
    assert values(answer, "Allow") == ["GET, HEAD"]
    assert values(render(GatewayError("method_not_allowed"), REQUEST_ID), "Allow") == [""]


def test_who_knows_better_says_when_to_try_again() -> None:
    """Seconds given by the raiser replace the usual ones."""
    error = GatewayError("rate_limited", retry_after_s=7)
    assert values(render(error, REQUEST_ID), "Retry-After") == ["7"]
    assert values(render(GatewayError("rate_limited"), REQUEST_ID), "Retry-After") == ["60"]


@pytest.mark.parametrize(
    ("number", "shown", "why"),
    [
        (40029, 40029, "WeChat counts in numbers"),
        ("40029", "40029", "some write them as text"),
        (0, 0, "a zero is a number too"),
        ("\ud800", "?", "half a surrogate pair, which JSON can hold and UTF-8 cannot"),
        ('"\r\n', '"\r\n', "quotes and line feeds are escaped"),
    ],
)
def test_the_platforms_number_is_passed_on(number: int | str, shown: object, why: str) -> None:
    """`platform_code`, whatever the platform calls a number."""
    answer = render(GatewayError("platform_error", platform_code=number), REQUEST_ID)
    assert body_of(answer)["platform_code"] == shown, why


@given(st.sampled_from(sorted(OUTCOMES)), st.text(), st.text() | st.integers())
def test_every_detail_renders(code: str, detail: str, number: str | int) -> None:
    """Valid JSON and clean header fields, whatever the detail and the platform's number hold."""
    answer = render(GatewayError(code, detail, platform_code=number), REQUEST_ID)
    assert body_of(answer)["code"] == code
    assert all(text.isprintable() for field in answer.headers for text in field)


def test_an_error_as_text() -> None:
    """Code and detail, for logs."""
    assert str(GatewayError("bad_request", "send one")) == "bad_request: send one"
    assert str(GatewayError("bad_request")) == "bad_request"


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("a.b", 3, "x", "y", "g.yaml"), "g.yaml:3: a.b: found x; allowed: y"),
        (Problem("a.b", 3, "x", "y"), "settings:3: a.b: found x; allowed: y"),
        (Problem("a.b", None, "x", "y", "g.yaml"), "g.yaml: a.b: found x; allowed: y"),
        (Problem("", None, "x", "y"), "settings: (top level): found x; allowed: y"),
    ],
)
def test_a_problem_says_where(problem: Problem, text: str) -> None:
    """File and line where they are known."""
    assert str(problem) == text


def test_all_problems_are_told_at_once() -> None:
    """One line each."""
    problems = [Problem("a", 1, "x", "y"), Problem("b", 2, "x", "y")]
    assert str(SettingsError(problems)).splitlines() == [str(each) for each in problems]
