"""Which ids may go into a header (attacks.md H21)."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.platforms.base import (
    MAX_OPENID_BYTES,
    LoginCodes,
    PlatformApp,
    PlatformIdentity,
    check_openid,
)


@given(st.text() | st.none() | st.integers() | st.binary() | st.lists(st.text()))
def test_what_passes_is_safe_in_a_header(value: object) -> None:
    """Whatever is asked, what comes out is short, printable ASCII without commas or spaces."""
    with suppress(GatewayError):
        checked = check_openid(value)
        assert checked == value
        assert 0 < len(checked.encode()) <= MAX_OPENID_BYTES
        assert checked.isascii()
        assert checked.isprintable()
        assert not set(checked) & {",", " "}


def test_a_refusal_does_not_repeat_the_value() -> None:
    """It may be an openid, and it may be an attack."""
    with pytest.raises(GatewayError) as caught:
        check_openid("o-1\r\nX-Admin: 1")
    assert caught.value.code == "platform_error"
    assert "Admin" not in str(caught.value)


@pytest.mark.parametrize("value", ["0", "null", "None", "NULL", "undefined"])
def test_a_nothing_made_into_text_is_no_id(value: str) -> None:
    """Many users would share it (attacks.md S15)."""
    with pytest.raises(GatewayError):
        check_openid(value)


@pytest.mark.parametrize(
    "value", ["00", "o", "oGZUI0egBJY1zhBYw2KhdUfwVJJE", "a_b-c.d~", "o" * 128]
)
def test_real_ids_pass(value: str) -> None:
    """Up to 128 bytes."""
    assert check_openid(value) == value


def test_nothing_prints_what_is_private() -> None:
    """Secrets, codes, keys and a proxy's password stay out of `repr`."""
    shown = repr(
        (
            PlatformApp("a", "wechat", "wx1", "private", "private", proxy="http://u:private@p"),
            LoginCodes("private", "private"),
            PlatformIdentity("o-1", session_key="private"),
        )
    )
    assert "private" not in shown
