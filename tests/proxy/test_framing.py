"""An answer's framing, as a table."""

import pytest

from gateway.errors import GatewayError
from gateway.headers import Field
from gateway.proxy.framing import read_framing

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
    assert read_framing(status, fields) == framing


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
        read_framing(status, fields)
