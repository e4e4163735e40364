"""An answer's framing, as a table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.headers import Field
from gateway.proxy.framing import (
    LAST_CHUNK,
    MAX_HEAD_BYTES,
    AnswerHead,
    as_chunk,
    read_answer_head,
    read_framing,
)
from gateway.survey import survey_answer

LENGTH: Field = (b"Content-Length", b"5")
CHUNKED: Field = (b"transfer-encoding", b"chunked")


@pytest.mark.parametrize(
    ("status", "fields", "framing"),
    [
        pytest.param(200, [LENGTH], (5, False), id="a length"),
        pytest.param(200, [CHUNKED], (None, True), id="chunks"),
        pytest.param(200, [], (None, False), id="until close"),
        pytest.param(304, [LENGTH], (5, False), id="304 may tell a length"),
        pytest.param(204, [LENGTH], (None, False), id="204 may not"),
        pytest.param(204, [CHUNKED], (None, False), id="204 has no chunks"),
        pytest.param(101, [LENGTH], (None, False), id="nor has 101"),
        pytest.param(200, [(b"content-length", b" 007 ")], (7, False), id="zeros and spaces"),
    ],
)
def test_a_framing_is_read(
    status: int, fields: list[Field], framing: tuple[int | None, bool]
) -> None:
    """Length and chunks as RFC 9112 6.3 has them."""
    assert read_framing(status, survey_answer(fields)) == framing


@pytest.mark.parametrize("status", [200, 204, 304])
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([LENGTH, CHUNKED], id="both"),
        pytest.param([LENGTH, LENGTH], id="a length twice"),
        pytest.param([CHUNKED, CHUNKED], id="chunked twice"),
        pytest.param([(b"Transfer-Encoding", b"gzip, chunked")], id="two codings"),
        pytest.param([(b"Transfer-Encoding", b"")], id="no coding"),
        pytest.param([(b"Content-Length", b"-1")], id="negative"),
        pytest.param([(b"Content-Length", b"")], id="empty"),
        pytest.param([(b"Content-Length", "１".encode())], id="digits of another script"),
    ],
)
def test_a_framing_with_two_meanings_is_refused(status: int, fields: list[Field]) -> None:
    """Whatever the status says about a body, two readers might disagree."""
    with pytest.raises(GatewayError, match="upstream_error"):
        read_framing(status, survey_answer(fields))


# -- a whole head ---------------------------------------------------------------------------------


def head_of(
    method: str | None, status: int, *fields: Field, received_bytes: int = 100
) -> AnswerHead:
    """The head of an answer to this method."""
    return read_answer_head(method, status, b"OK", list(fields), received_bytes)


@pytest.mark.parametrize(
    ("method", "status", "fields", "has_body", "until_close", "why"),
    [
        ("GET", 200, [LENGTH], True, False, "a length"),
        ("GET", 200, [CHUNKED], True, False, "chunks"),
        ("GET", 200, [], True, True, "neither"),
        ("HEAD", 200, [LENGTH], False, False, "T17: HEAD has none, whatever a length says"),
        ("HEAD", 200, [], False, False, "T17: nor is its end waited for"),
        ("GET", 204, [LENGTH], False, False, "T17: 204"),
        ("GET", 304, [LENGTH], False, False, "T17: 304"),
        ("GET", 101, [], False, False, "bytes behind 101 are no body"),
        ("get", 200, [], True, True, "methods have case"),
        ("POST", 500, [], True, True, "an error has one, too"),
    ],
)
def test_which_answer_has_a_body(
    method: str, status: int, fields: list[Field], has_body: bool, until_close: bool, why: str
) -> None:
    """RFC 9112 6.3."""
    head = head_of(method, status, *fields)
    assert (head.has_body, head.until_close) == (has_body, until_close), why


def test_a_head_is_kept_as_it_came() -> None:
    """Status, reason and fields, and what a pass over them found."""
    head = head_of("GET", 299, (b"Server", b"s\xe4"), LENGTH)
    assert (head.status, head.reason, head.fields) == (299, b"OK", [(b"Server", b"s\xe4"), LENGTH])
    assert head.found == survey_answer(head.fields)
    assert (head.length, head.is_chunked) == (5, False)


@pytest.mark.parametrize("status", [0, 1, 99])
def test_a_status_below_100_is_none(status: int) -> None:
    """RFC 9110 15."""
    with pytest.raises(GatewayError, match="upstream_error"):
        head_of("GET", status)


def test_a_head_is_bounded() -> None:
    """Its fields count, not the body that came along with it; many small ones count, too."""
    large: Field = (b"X-A", b"a" * (MAX_HEAD_BYTES - 10))
    assert head_of("GET", 200, large, received_bytes=10**6).fields == [large]
    for fields in ([large, (b"X-B", b"b" * 10)], [(b"X-A", b"a")] * (MAX_HEAD_BYTES // 8 + 1)):
        with pytest.raises(GatewayError, match="upstream_error"):
            head_of("GET", 200, *fields, received_bytes=10**6)


# -- chunks ---------------------------------------------------------------------------------------


@given(st.binary(max_size=2000))
def test_a_chunk_says_its_size(data: bytes) -> None:
    """RFC 9112 7.1; nothing is no chunk, since the empty one is the last."""
    chunk = as_chunk(data)
    if not data:
        assert chunk == b""
        return
    size, _, rest = chunk.partition(b"\r\n")
    assert rest == data + b"\r\n"
    assert int(size, 16) == len(data)
    assert not chunk.startswith(LAST_CHUNK)


def test_the_last_chunk_is_the_empty_one() -> None:
    """Without trailers."""
    assert LAST_CHUNK == b"0\r\n\r\n"
