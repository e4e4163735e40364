"""Which bytes are a readable JSON object."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.platforms.jsontext import parse_object

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**300), 10**300)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON))
def test_every_json_object_is_read(value: dict[str, object]) -> None:
    """What `json` writes comes back."""
    assert parse_object(json.dumps(value).encode()) == value


@given(st.binary(max_size=300))
def test_nothing_is_raised_for_any_bytes(text: bytes) -> None:
    """An error would carry the text into a log."""
    found = parse_object(text)
    assert found is None or isinstance(found, dict)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'"a"', id="a text"),
        pytest.param(b"{}{}", id="two objects"),
        pytest.param(b"{'a':1}", id="single quotes"),
        pytest.param(b'{"a":1,"a":1}', id="a name twice, even with one value"),
        pytest.param(b'{"a":{"b":1,"b":2}}', id="a name twice, deeper"),
        pytest.param(b'{"a":1,"\\u0061":2}', id="a name twice, written differently"),
        pytest.param(b'{"a":NaN}', id="NaN"),
        pytest.param(b'{"a":-Infinity}', id="Infinity"),
        pytest.param(b'{"a":1e400}', id="out of range"),
        pytest.param(b'{"a":"\xff"}', id="not UTF-8"),
        pytest.param('{"a":1}'.encode("utf-16"), id="UTF-16, which json.loads would guess"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="deep nesting"),
        pytest.param(b'{"a":' + b"9" * 5000 + b"}", id="a number longer than Python reads"),
    ],
)
def test_what_is_not_read(text: bytes) -> None:
    """Each of these is somebody's error or attack."""
    assert parse_object(text) is None


def test_a_byte_order_mark_is_forgiven() -> None:
    """Some servers send it; RFC 8259 section 8.1 lets a reader ignore it."""
    assert parse_object(b'\xef\xbb\xbf{"a":1}') == {"a": 1}
