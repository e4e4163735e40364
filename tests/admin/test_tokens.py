"""Who may use the admin API."""

import pytest

from gateway.admin.tokens import AdminToken, AdminTokens
from gateway.errors import GatewayError

READER = AdminToken("reader", "r" * 16, frozenset({"read"}))
OPS = AdminToken("ops", "o" * 16, frozenset({"read", "revoke"}))
TOKENS = AdminTokens([READER, OPS])


@pytest.mark.parametrize(
    ("authorization", "why"),
    [
        (f"Bearer {OPS.token}", "as written"),
        (f"bearer {OPS.token}", "schemes have no case (RFC 9110 11.1)"),
        (f"Bearer   {OPS.token} ", "white space around it"),
    ],
)
def test_a_known_token_names_its_holder(authorization: str, why: str) -> None:
    """By the name the audit log uses."""
    assert TOKENS.identify(authorization).name == "ops", why


@pytest.mark.parametrize(
    ("authorization", "code", "why"),
    [
        ("", "session_missing", "no header"),
        ("Bearer", "session_missing", "no token"),
        (f"Basic {OPS.token}", "session_missing", "another scheme"),
        ("Bearer unknown-token-here", "session_invalid", "unknown"),
        (f"Bearer {OPS.token}x", "session_invalid", "longer by one"),
        (f"Bearer {OPS.token[:-1]}", "session_invalid", "shorter by one"),
        ("Bearer  ", "session_invalid", "white space only"),
        ("Bearer \u4f60\u597d", "session_invalid", "outside ASCII"),
        ("Bearer \udcff\udcfe", "session_invalid", "bytes that are no UTF-8, as aiohttp has them"),
        ("Bearer \xe9", "session_invalid", "Latin"),
    ],
)
def test_anything_else_is_refused(authorization: str, code: str, why: str) -> None:
    """With a code, whatever the bytes are."""
    with pytest.raises(GatewayError) as refused:
        TOKENS.identify(authorization)
    assert refused.value.code == code, why


def test_a_token_is_good_for_its_scopes_only() -> None:
    """Who holds it is known all the same; the answer names the scope that is missing."""
    holder = TOKENS.identify(f"Bearer {READER.token}")
    assert holder.name == "reader"
    holder.check("read")
    with pytest.raises(GatewayError) as refused:
        holder.check("revoke")
    assert refused.value.code == "route_forbidden"
    assert "revoke" in refused.value.detail
    assert READER.token not in str(refused.value)


def test_without_tokens_nobody_enters() -> None:
    """Absence of a rule means refused."""
    with pytest.raises(GatewayError) as refused:
        AdminTokens([]).identify("Bearer anything")
    assert refused.value.code == "session_invalid"


def test_a_token_does_not_print() -> None:
    """Nor do its list and its holder."""
    assert OPS.token not in repr(OPS)
    assert OPS.token not in repr(TOKENS)
