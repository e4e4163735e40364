"""Admission: one well-formed request, or a refusal (attacks.md C2, T2 to T13, G1, P17, W2, W5)."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission import AdmissionLimits, Admitted, RawRequest
from gateway.clients import Client, forwarded_lines
from gateway.errors import GatewayError
from gateway.survey import survey_request
from tests.support.requests import (
    PEER,
    REQUEST_ID,
    TCHAR_MARKS,
    admitted,
    attempt,
    code_of,
    fields,
    raw,
)

WEBSOCKET = ("Connection: Upgrade", "Upgrade: websocket")


def refusal(request: RawRequest, limits: AdmissionLimits | None = None) -> str:
    """The code a request is refused with."""
    return code_of(lambda: admitted(request, limits=limits or AdmissionLimits()))


def test_a_request_is_admitted() -> None:
    """What routing needs is read, what came is kept."""
    request = raw("POST /a?b=c", "Content-Length: 5", "X-Some: thing", host="Good.:8080")
    assert admitted(request) == Admitted(
        method="POST",
        target=admitted(raw("GET /a?b=c")).target,
        version=(1, 1),
        found=survey_request(request.fields).found,
        bearer=None,
        client=Client(PEER, False, (PEER,), "http"),
        request_id=REQUEST_ID,
        host="good",
        host_field="Good.:8080",
        forwarded=forwarded_lines(Client(PEER, False, (PEER,), "http"), "Good.:8080"),
        content_length=5,
        is_chunked=False,
        expects_continue=False,
        is_websocket=False,
    )


@pytest.mark.parametrize(
    ("trusted", "request_id", "why"),
    [
        ("203.0.113.0/24", "0123-its-own", "a trusted peer's is kept"),
        ("10.0.0.0/8", REQUEST_ID, "a stranger's is not"),
    ],
)
def test_the_request_id(trusted: str, request_id: str, why: str) -> None:
    """Ours, unless whom we believe has one."""
    request = raw("GET /", "X-Request-Id: 0123-its-own")
    assert admitted(request, (ip_network(trusted),)).request_id == request_id, why


# -- T2, T4, T5, T11: framing ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "length", "is_chunked", "why"),
    [
        ([], None, False, "no body"),
        (["Content-Length: 0"], 0, False, "an empty one is no body, but its length is kept"),
        (["Content-Length: 1"], 1, False, "T11: GET may have a body; it is forwarded"),
        (["Content-Length: 00001"], 1, False, "zeros in front are digits"),
        (["content-length: 999999999999999"], 10**15 - 1, False, "the largest"),
        (["Transfer-Encoding: chunked"], None, True, "T4: exactly this"),
        (["transfer-encoding: Chunked"], None, True, "T4: codings have no case"),
    ],
)
def test_framing_is_read(lines: list[str], length: int | None, is_chunked: bool, why: str) -> None:
    """One of two forms, or no body."""
    for method in ("GET", "HEAD", "DELETE", "OPTIONS", "POST"):
        request = admitted(raw(f"{method} /", *lines))
        assert (request.content_length, request.is_chunked) == (length, is_chunked), why
        assert request.has_body == (is_chunked or bool(length)), why


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["Content-Length: 1", "Content-Length: 1"], "T2: twice the same"),
        (["Content-Length: 1", "Content-Length: 2"], "T2: twice, different"),
        (["Content-Length: 1, 1"], "T2: a list"),
        (["Content-Length: +1"], "T2: signed"),
        (["Content-Length: -1"], "T2: negative"),
        (["Content-Length: 1_0"], "T2: int() would take it"),
        (["Content-Length: 0x1"], "T2: hex"),
        (["Content-Length:"], "T2: empty"),
        (["Content-Length: 1 1"], "T2: a space inside"),
        (["Content-Length: 12345678901234567890123456"], "T2: 26 digits"),
        (["Content-Length: \xb2"], "T2: str.isdigit() takes a superscript"),
        (["Content-Length: 1\x0b"], "T2: a vertical tab"),
        (["Transfer-Encoding: chunked", "Content-Length: 5"], "T1: both"),
        (["Content-Length: 5", "Transfer-Encoding: chunked"], "T1: the other way about"),
        (["Transfer-Encoding: xchunked"], "T4"),
        (["Transfer-Encoding: chunked, identity"], "T4"),
        (["Transfer-Encoding: identity"], "T4"),
        (["Transfer-Encoding: chunked, chunked"], "T4"),
        (["Transfer-Encoding: ,chunked"], "T4: passes the parser"),
        (["Transfer-Encoding: chunked,"], "T4"),
        (["Transfer-Encoding: gzip, chunked"], "T4: passes the parser"),
        (['Transfer-Encoding: "chunked"'], "T4"),
        (["Transfer-Encoding:"], "T4: empty"),
        (["Transfer-Encoding: chunked;x=y"], "T4: a parameter"),
        (["Transfer-Encoding: \x0bchunked"], "T4: a vertical tab"),
        (["Transfer-Encoding: \xa0chunked"], "T4: a no-break space"),
        (["Transfer-Encoding: chunked"] * 2, "T4: two lines"),
        (["Content_Length: 5"], "T3: framing to who folds names"),
        (["Content.Length: 5"], "T3"),
        (["Transfer_Encoding: chunked"], "T4"),
        (["TRANSFER.ENCODING: chunked"], "T4"),
    ],
)
def test_ambiguous_framing_is_refused(lines: list[str], why: str) -> None:
    """Two parsers would cut the stream differently."""
    assert refusal(raw("POST /", *lines)) == "bad_request", why


@given(st.sampled_from(["content-length", "transfer-encoding"]), st.data())
def test_no_other_spelling_of_framing_passes(name: str, data: st.DataObject) -> None:
    """T3, T4: each mark that a name may hold, in the hyphen's place."""
    mark = data.draw(st.sampled_from(TCHAR_MARKS.replace("-", "")))
    request = raw("POST /", f"{name.replace('-', mark).upper()}: 5")
    assert refusal(request) == "bad_request"


@pytest.mark.parametrize(
    ("version", "lines", "why"),
    [
        ((1, 0), ["Transfer-Encoding: chunked"], "T5: HTTP/1.0 knows no chunks"),
        ((1, 0), WEBSOCKET, "nor upgrades"),
        ((0, 9), [], "T5"),
        ((2, 0), [], "T5"),
        ((1, 9), [], "T5"),
        ((1, 2), [], "T5"),
    ],
)
def test_other_versions_are_refused(
    version: tuple[int, int], lines: tuple[str, ...], why: str
) -> None:
    """T5: HTTP/1.1 and HTTP/1.0 are spoken, each in its own words."""
    assert refusal(raw("GET /", *lines, version=version)) == "bad_request", why


def test_http_10_is_spoken() -> None:
    """T5: with a length, and keep-alive if it asks for it."""
    request = raw("POST /", "Content-Length: 3", "Connection: keep-alive", version=(1, 0))
    assert admitted(request).content_length == 3


# -- T13: Expect ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "version", "expects", "why"),
    [
        ([], (1, 1), False, "nothing"),
        (["Expect: 100-continue"], (1, 1), True, "the one expectation there is"),
        (["expect: 100-Continue"], (1, 1), True, "it has no case"),
        (["Expect: 100-continue"], (1, 0), False, "RFC 9110 10.1.1: HTTP/1.0 cannot mean it"),
    ],
)
def test_expect(lines: list[str], version: tuple[int, int], expects: bool, why: str) -> None:
    """T13: 100-continue is understood."""
    request = raw("POST /", "Content-Length: 1", *lines, version=version)
    assert admitted(request).expects_continue is expects, why


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["Expect: 200-ok"], "no such expectation"),
        (["Expect: 100-continue, x"], "a list"),
        (["Expect: 100-continue"] * 2, "said twice"),
        (["Expect:"], "empty"),
    ],
)
def test_other_expectations_are_refused(lines: list[str], why: str) -> None:
    """T13: design section 6 has no 417; it is a bad request."""
    assert refusal(raw("POST /", *lines)) == "bad_request", why


# -- G1: host -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "lines", "why"),
    [
        (None, [], "none"),
        ("good", ["Host: good"], "two, the same"),
        ("good", ["host: evil"], "two"),
        ("", [], "empty"),
        ("good:99999", [], "no such port"),
        ("a b", [], "a space"),
        ("good/evil", [], "a path"),
        ("u@good", [], "a user"),
        ("good%00.evil", [], "NUL"),
        ("a" * 8192, [], "8 KiB"),
        ("good..", [], "two dots"),
    ],
)
def test_a_request_names_one_host(host: str | None, lines: list[str], why: str) -> None:
    """G1: exactly one Host, and a good one; HTTP/1.0 too."""
    for version in ((1, 1), (1, 0)):
        request = raw("GET /", *lines, host=host, version=version)
        assert refusal(request) == "bad_request", why


@pytest.mark.parametrize(
    ("target", "path", "why"),
    [
        ("http://good/a?b", "/a", "P17: the same host"),
        ("HTTP://GOOD/a?b", "/a", "neither has case"),
        ("http://good.:8080/a?b", "/a", "nor matter port and last dot"),
        ("https://good/a?b", "/a", "the scheme is the listener's business"),
        ("http://good?b", "/", "no path"),
        ("http://good?b", "/", "a query right behind the host"),
    ],
)
def test_absolute_form_of_the_same_host(target: str, path: str, why: str) -> None:
    """P17: RFC 9112 3.2.2; the service gets origin form."""
    read = admitted(raw(f"GET {target}")).target
    assert (read.raw, read.query) == (path, "b"), why


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("http://evil/a", "P17: another host"),
        ("http://good@evil/a", "P17: behind a user"),
        ("http://evil@good/a", "P17: in front of it"),
        ("http://good:80:80/a", "two ports"),
        ("http://good:99999/a", "no such port"),
        ("http://[::1]/a", "P17: an address"),
        ("http:///a", "no host"),
        ("http://", "nothing"),
        ("http://good\\.evil/a", "a backslash"),
        ("http://good%2eevil/a", "an escape"),
        ("http://g\udce9d/a", "a raw byte"),
        ("http://good#x", "a fragment"),
        ("http://good/../admin", "a dot segment, as ever"),
        ("https://evil/a", "P17"),
        ("ftp://good/a", "P17"),
        ("http:/good/a", "P17: one slash"),
        ("good:443", "P18"),
        ("*", "P18"),
    ],
)
def test_other_forms_of_a_target_are_refused(target: str, why: str) -> None:
    """P17, P18: the target never chooses the host."""
    for method in ("GET", "OPTIONS"):
        request = raw(f"{method} {target}")
        assert refusal(request) == "target_refused", why


def test_absolute_form_of_an_ipv6_host() -> None:
    """P17: whatever the spelling, the same address."""
    assert admitted(raw("GET http://[0:0::1]:80/a", host="[::1]")).target.raw == "/a"


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "TRACK", "PRI"])
def test_methods_that_are_never_served(method: str) -> None:
    """T20, P18: before the target is looked at."""
    assert refusal(raw(f"{method} good:443")) == "method_not_allowed"


# -- W2, W5: upgrades -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "is_websocket", "why"),
    [
        (WEBSOCKET, True, "a handshake"),
        (("connection: keep-alive, UPGRADE", "upgrade: WebSocket"), True, "W5: no case, a list"),
        (("Connection: keep-alive", *WEBSOCKET), True, "two Connection lines are one list"),
        (("Connection: notupgrade", "Upgrade: websocket"), False, "W5: another token"),
        (("Connection: xupgrade, upgradex", "Upgrade: websocket"), False, "W5: two others"),
        (("Connection: up grade", "Upgrade: websocket"), False, "W5: no token at all"),
        (("Upgrade: websocket",), False, "not asked of this connection"),
        (("Connection: Upgrade",), False, "to nothing"),
        (("Upgrade: h2c", "Connection: HTTP2-Settings"), False, "H15: dropped, not asked"),
    ],
)
def test_a_handshake_is_told(lines: tuple[str, ...], is_websocket: bool, why: str) -> None:
    """RFC 6455 4.1, RFC 9110 7.8."""
    assert admitted(raw("GET /", *lines)).is_websocket is is_websocket, why


@pytest.mark.parametrize(
    ("line", "lines", "why"),
    [
        ("GET /", ("Connection: Upgrade", "Upgrade: h2c"), "W5: HTTP/2"),
        ("GET /", ("Connection: Upgrade", "Upgrade: TLS/1.0"), "W5: TLS"),
        ("GET /", ("Connection: Upgrade", "Upgrade: tcp"), "what aiohttp would switch to"),
        ("GET /", ("Connection: Upgrade", "Upgrade: websocket, h2c"), "W5: a choice"),
        ("GET /", ("Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c"), "two lines"),
        ("GET /", ("Connection: Upgrade", "Upgrade:"), "to nothing"),
        ("GET /", (*WEBSOCKET, "Content-Length: 0"), "W2: a length, though of nothing"),
        ("GET /", (*WEBSOCKET, "Content-Length: 1"), "W2: a body"),
        ("GET /", (*WEBSOCKET, "Transfer-Encoding: chunked"), "W2: a chunked one"),
        ("POST /", WEBSOCKET, "RFC 6455 4.1: GET only"),
    ],
)
def test_other_upgrades_are_refused(line: str, lines: tuple[str, ...], why: str) -> None:
    """W2, W5: nothing but a WebSocket, and no body with it."""
    assert refusal(raw(line, *lines)) == "bad_request", why


# -- sizes, and everything together ---------------------------------------------------------------


def test_headers_have_a_limit() -> None:
    """D3: names, values and their separators count."""
    size = len("Host: good\r\n") + len("X: \r\n")
    limits = AdmissionLimits(headers_bytes=size + 100)
    assert admitted(raw("GET /", "X: " + "a" * 100), limits=limits).method == "GET"
    request = raw("GET /", "X: " + "a" * 101)
    assert refusal(request, limits) == "headers_too_large"


def test_the_target_has_a_limit() -> None:
    """P19: 414; an absolute form counts from its path on."""
    limits = AdmissionLimits(target_bytes=10)
    assert admitted(raw("GET http://good/" + "a" * 9), limits=limits).target.raw == "/aaaaaaaaa"
    request = raw("GET /" + "a" * 10)
    assert refusal(request, limits) == "target_too_long"


NAMES = st.sampled_from(
    [
        *("Host", "Content-Length", "Content_Length", "Transfer-Encoding", "Connection", "Upgrade"),
        *("Expect", "TE", "Trailer", "X-OpenId", "X-Forwarded-For", "Cookie", "Authorization"),
    ]
)
VALUES = st.one_of(
    st.sampled_from(["good", "5", "chunked", "Upgrade", "websocket", "100-continue", "1, 1", ""]),
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=20),
)


@given(
    st.sampled_from(["GET", "POST", "CONNECT", "BREW", ""]),
    st.one_of(st.text(max_size=20), st.sampled_from(["/", "http://good/", "/a?b", "*"])),
    st.sampled_from([(1, 1), (1, 0), (0, 9)]),
    st.lists(st.tuples(NAMES, VALUES), max_size=6),
)
def test_whatever_comes_is_admitted_or_refused(
    method: str, target: str, version: tuple[int, int], lines: list[tuple[str, str]]
) -> None:
    """P20: no other exception, and what is admitted has one framing and one host."""
    received = fields(*(f"{name}: {value}" for name, value in lines))
    request = RawRequest(method, target, version, received, PEER)
    result = attempt(lambda: admitted(request))
    if isinstance(result, GatewayError):
        assert result.outcome.status in {400, 405, 414, 431}
        return
    assert not (result.is_chunked and result.content_length is not None)
    assert (result.found, result.bearer) == survey_request(received)[::2]
    assert result.target.raw.startswith("/")
