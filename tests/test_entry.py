"""The public listener end to end: a login, a proxied call, a refusal."""

import asyncio
import contextlib
import json

import pytest

from tests.support.gateway import APPS, RunningGateway, problem
from tests.support.raw import RawUpstream, connect, read_head


@pytest.mark.parametrize("app", APPS)
async def test_a_login_and_a_proxied_call_on_every_platform(
    running: RunningGateway, app: str
) -> None:
    """Each configured app logs in, and the service learns who calls."""
    given = await running.codes(app)
    login = await running.post("/login", {"app": app, "code": given["code"]})
    assert login.status == 200
    token = json.loads(login.body)["token"]
    answer = await running.get("/api/orders/1?x=1", f"Authorization: Bearer {token}")
    assert (answer.status, answer.body) == (200, b"ok")
    seen = running.upstream.requests[-1]
    assert seen.line == "GET /orders/1?x=1 HTTP/1.1"
    assert seen.value("X-OpenId") == given["openid"]
    assert seen.value("X-Platform") == running.settings.apps[app].platform
    assert seen.value("Authorization") is None


async def test_a_required_route_refuses_without_a_session(running: RunningGateway) -> None:
    """Nothing reaches the service."""
    answer = await running.get("/api/orders/1")
    assert answer.status == 401
    assert problem(answer)["code"] == "session_missing"
    assert answer.value("WWW-Authenticate") == "Bearer"
    assert running.upstream.requests == []


# -- framing: what two parsers might cut differently (attacks.md T) --------------------------------

SMUGGLED = b"GET /public/smuggled HTTP/1.1\r\nHost: gw\r\n\r\n"


def post(*fields: bytes, version: bytes = b"1.1") -> bytes:
    """A POST with these framing fields, and a second request hidden behind its head."""
    lines = [b"POST /public/x HTTP/" + version, b"Host: gw", *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(
            post(b"Content-Length: 6", b"Transfer-Encoding: chunked") + b"0\r\n\r\nG", id="CL.TE"
        ),
        pytest.param(
            post(b"Transfer-Encoding: chunked", b"Content-Length: 4") + b"0\r\n\r\n", id="TE.CL"
        ),
        pytest.param(post(b"Content-Length: 0", b"Content-Length: 44"), id="two lengths"),
        pytest.param(post(b"Content-Length: 0", b"Content-Length: 0"), id="a length twice"),
        pytest.param(post(b"Content-Length: 0, 44"), id="a list of lengths"),
        pytest.param(post(b"Content-Length: +0"), id="a signed length"),
        pytest.param(post(b"Content-Length: -1"), id="a negative length"),
        pytest.param(post(b"Content-Length: 0x0"), id="a length in hex"),
        pytest.param(post(b"Content-Length: 1_0"), id="an underscore in a length"),
        pytest.param(post(b"Content-Length:"), id="an empty length"),
        pytest.param(post(b"Content-Length: " + b"9" * 26), id="a length of 26 digits"),
        pytest.param(post("Content-Length: １".encode()), id="digits of another script"),
        pytest.param(post(b"Content-Length : 0"), id="a space before the colon"),
        pytest.param(post(b"Content_Length: 44"), id="Content_Length"),
        pytest.param(post(b"Content.Length: 44"), id="Content.Length"),
        pytest.param(post(b"Content-Length\x85: 44"), id="a byte outside ASCII in the name"),
        pytest.param(post(b"Transfer-Encoding: xchunked"), id="xchunked"),
        pytest.param(post(b"Transfer-Encoding: chunked, identity"), id="identity last"),
        pytest.param(post(b"Transfer-Encoding: identity"), id="identity"),
        pytest.param(post(b"Transfer-Encoding: chunked, chunked"), id="chunked twice"),
        pytest.param(post(b"Transfer-Encoding: ,chunked") + b"0\r\n\r\n", id="a comma first"),
        pytest.param(post(b"Transfer-Encoding: chunked,") + b"0\r\n\r\n", id="a comma last"),
        pytest.param(post(b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n", id="two codings"),
        pytest.param(post(b'Transfer-Encoding: "chunked"'), id="in quotes"),
        pytest.param(post(b"Transfer-Encoding: \x0bchunked"), id="a vertical tab"),
        pytest.param(post(b"Transfer-Encoding: \xa0chunked"), id="a hard space"),
        pytest.param(
            post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), id="two lines"
        ),
        pytest.param(post(b"Transfer_Encoding: chunked") + b"0\r\n\r\n", id="Transfer_Encoding"),
        pytest.param(post(b"Transfer-Encoding : chunked"), id="a space before its colon"),
        pytest.param(
            post(b"Transfer-Encoding: chunked", version=b"1.0") + b"0\r\n\r\n", id="HTTP/1.0"
        ),
        pytest.param(post(b"Expect: 200-ok", b"Content-Length: 0"), id="another expectation"),
        pytest.param(post(b"Host: other", b"Content-Length: 0"), id="two hosts"),
    ],
)
async def test_framing_with_two_meanings_is_refused(running: RunningGateway, sent: bytes) -> None:
    """400 and the end; neither request reaches the service (T1 to T5, T13)."""
    client = await connect(running.port)
    await client.send(sent + SMUGGLED)
    answer = await client.answer()
    assert (answer.status, problem(answer)["code"]) == (400, "bad_request")
    assert await client.is_closed()
    assert running.upstream.requests == []
    await client.close()


@pytest.mark.parametrize("coding", [b"chunked", b"Chunked", b"CHUNKED", b" chunked "])
async def test_chunked_in_any_case_is_understood(running: RunningGateway, coding: bytes) -> None:
    """Codings are compared without case (T4); what follows the body is the next request."""
    client = await connect(running.port)
    await client.send(post(b"Transfer-Encoding:" + coding) + b"2\r\nhi\r\n0\r\n\r\n" + SMUGGLED)
    for _ in range(2):
        assert (await client.answer()).body == b"ok"
    lines = [each.line for each in running.upstream.requests]
    assert lines == ["POST /public/x HTTP/1.1", "GET /public/smuggled HTTP/1.1"]
    assert running.upstream.requests[0].value("Transfer-Encoding") == "chunked"
    await client.close()


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(b"CONNECT gw:443 HTTP/1.1\r\nHost: gw:443\r\n\r\n", id="CONNECT"),
        pytest.param(
            b"CONNECT gw:443 HTTP/1.1\r\nHost: gw:443\r\nContent-Length: 4\r\n\r\nbody",
            id="CONNECT with a body",
        ),
        pytest.param(b"TRACE /public/x HTTP/1.1\r\nHost: gw\r\n\r\n", id="TRACE"),
    ],
)
async def test_methods_nobody_serves_end_the_connection(
    running: RunningGateway, request_: bytes
) -> None:
    """405 and the end (T20)."""
    client = await connect(running.port)
    await client.send(request_ + SMUGGLED)
    answer = await client.answer()
    assert (answer.status, problem(answer)["code"]) == (405, "method_not_allowed")
    assert await client.is_closed()
    assert running.upstream.requests == []
    await client.close()


# -- one connection, many requests ----------------------------------------------------------------


async def test_refusals_keep_the_connection_where_nothing_is_unread(
    running: RunningGateway,
) -> None:
    """401, 404, 405 and an answer of our own leave it in step."""
    client = await connect(running.port)
    for path, status in [
        ("/orders/x", 401),
        ("/nothing", 404),
        ("/login", 405),
        ("/hello.txt", 200),
    ]:
        await client.send(f"GET {path} HTTP/1.1\r\nHost: gw\r\n\r\n".encode())
        answer = await client.answer()
        assert (answer.status, answer.value("Connection")) == (status, None)
    await client.send(SMUGGLED)
    assert (await client.answer()).body == b"ok"
    await client.close()


@pytest.mark.parametrize("path", [b"/orders/x", b"/nothing", b"/hello.txt"])
async def test_a_refusal_with_a_body_still_coming_closes(
    running: RunningGateway, path: bytes
) -> None:
    """The rest would be taken for the next request (T12)."""
    client = await connect(running.port)
    head = post(b"Content-Length: %d" % (len(SMUGGLED) + 1)).replace(b"/public/x", path)
    await client.send(head)
    assert (await client.answer()).value("Connection") == "close"
    await client.send(SMUGGLED)
    assert await client.is_closed()
    assert running.upstream.requests == []
    await client.close()


async def test_a_handler_that_fails_is_a_500_without_a_word(
    running: RunningGateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What went wrong stands in the log, not in the answer (L4)."""
    monkeypatch.setattr("gateway.proxy.exchange.build_request", _fail)
    answer = await running.get("/public/x")
    assert (answer.status, problem(answer)["code"]) == (500, "internal_error")
    assert b"made up" not in answer.body
    assert "made up" in caplog.text
    monkeypatch.undo()
    assert (await running.get("/public/x")).status == 200


def _fail(*_: object) -> None:
    raise ZeroDivisionError("made up")


async def test_the_log_says_why_a_request_was_refused(running: RunningGateway) -> None:
    """The route it matched, and for a login the app and the platform's own number."""
    assert (await running.get("/api/orders/1")).status == 401
    await running.simulate("faults", platform="wechat", kind="secret", times=1)
    login = {"app": "shop-wechat", "code": await running.code()}
    assert (await running.post("/login", login)).status == 502
    refused, failed = running.log_lines()
    assert (refused["route"], refused["error"]) == ("/api/", "session_missing")
    assert "Bearer <token>" in str(refused["detail"])
    assert (failed["platform"], failed["app"]) == ("wechat", "shop-wechat")
    assert (failed["error"], failed["platform_code"]) == ("platform_config", 40125)
    assert "secret is invalid" in str(failed["detail"])


@pytest.mark.parametrize(
    ("answer", "sent_bytes"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", 3),
        (b"HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\n\r\n", 0),
    ],
)
async def test_an_answer_that_is_cut_off_is_logged_as_it_went_out(
    running: RunningGateway, answer: bytes, sent_bytes: int
) -> None:
    """The status the client read, the bytes it was given, and that they were not all."""

    async def break_off(
        _: RawUpstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await read_head(reader)
        writer.write(answer)
        await writer.drain()

    running.upstream.script = break_off
    client = await connect(running.port)
    await client.send(b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        await client.reader.read()
    await client.close()
    (line,) = running.log_lines()
    assert (line["status"], line["bytes"]) == (int(answer.split()[1]), sent_bytes)
    assert line["error"] == "answer_cut_off"
