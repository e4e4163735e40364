"""Reading small bodies: JSON or form, bounded, and nothing that two readers read differently."""

import asyncio
import json

import pytest
from aiohttp import web

from gateway.admission import AdmissionLimits, RawRequest, admit
from gateway.clients import Trust
from gateway.endpoints.body import MAX_BODY_BYTES, MAX_FIELDS, read_fields, read_form
from gateway.errors import GatewayError
from tests.support.gateway import RunningGateway, problem
from tests.support.own import FORM, JSON, head, send, token_of
from tests.support.raw import ask, connect

BAD_BODIES = [
    (b"{", JSON, "cut off"),
    (b"[1,2]", JSON, "an array at the top"),
    (b'"code"', JSON, "a text at the top"),
    (b"null", JSON, "nothing at the top"),
    (b'{"code":"a","code":"b"}', JSON, "a name twice: readers differ"),
    (b'{"app":{"a":1,"a":2}}', JSON, "a name twice, further down"),
    (b'{"code":NaN}', JSON, "NaN is no JSON"),
    (b'{"code":-Infinity}', JSON, "nor is Infinity"),
    (b'{"code":"\xff"}', JSON, "no UTF-8"),
    (b'{"code":"\xed\xa0\x80"}', JSON, "a lone surrogate in bytes"),
    (b'\xef\xbb\xbf{"code":"a"}', JSON, "a byte order mark"),
    (b'{"code":' + b"[" * 20000 + b"]" * 20000 + b"}", JSON, "nested deeper than we read"),
    (b'{"code":' + b"9" * 5000 + b"}", JSON, "a number of too many digits"),
    (b"{'code':'a'}", JSON, "Python is no JSON"),
    (b'{"code":"a"} {}', JSON, "two values"),
    (b"code=a&code=b", FORM, "a field twice"),
    (b"code=%ff", FORM, "an escape that is no UTF-8"),
    (b"code=\xff", FORM, "no UTF-8"),
    (b"&".join(b"f%d=1" % n for n in range(MAX_FIELDS + 1)), FORM, "too many fields"),
    (b"code=a", "Content-Type: text/plain", "neither JSON nor form"),
    (b'{"code":"a"}', "Content-Type: application/jsonp", "nearly JSON"),
    (b'{"code":"a"}', "X-None: 1", "no content type at all"),
    (b"--b\r\n\r\na\r\n--b--", "Content-Type: multipart/form-data; boundary=b", "multipart"),
]


@pytest.mark.parametrize(("body", "content_type", "why"), BAD_BODIES)
async def test_a_body_that_cannot_be_read_is_a_bad_request(
    running: RunningGateway, body: bytes, content_type: str, why: str
) -> None:
    """Nothing of it comes back, and the next request is fine."""
    answer = await send(running, "POST /login", body, content_type)
    assert (answer.status, problem(answer)["code"]) == (400, "bad_request"), why
    assert answer.value("Connection") is None, "the body was read: the connection may live"
    assert (await running.get("/hello.txt")).status == 200


@pytest.mark.parametrize("content_type", ["text/plain", "image/png", "application/json", ""])
async def test_an_empty_body_is_fine_under_any_content_type(
    running: RunningGateway, content_type: str
) -> None:
    """It says nothing, so what is missing is the code."""
    for body in (b"", b" \r\n"):
        answer = await send(running, "POST /login", body, f"Content-Type: {content_type}")
        assert problem(answer)["code"] == "bad_request"
        assert "`app`" in str(problem(answer)["detail"]), "not a word about the content type"


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "APPLICATION/JSON", "application/json;x=y"],
)
async def test_parameters_and_case_of_the_content_type_do_not_matter(
    running: RunningGateway, content_type: str
) -> None:
    """RFC 9110 8.3.1: types are compared without case, and JSON is always UTF-8."""
    fields = {"app": "shop-wechat", "code": await running.code()}
    body = json.dumps(fields).encode()
    token_of(await send(running, "POST /login", body, f"Content-Type: {content_type}"))


async def test_a_body_of_declared_size_over_the_limit_is_refused_unread(
    running: RunningGateway,
) -> None:
    """413, and the connection closes: what follows would be the body."""
    client = await connect(running.port)
    await client.send(head("POST /login", JSON, f"Content-Length: {MAX_BODY_BYTES + 1}"))
    answer = await client.answer()
    assert (answer.status, problem(answer)["code"]) == (413, "body_too_large")
    assert answer.value("Connection") == "close"
    await client.close()


async def test_a_chunked_body_over_the_limit_is_refused(running: RunningGateway) -> None:
    """No length is declared, so it is counted."""
    chunk = b"%x\r\n%b\r\n" % (40000, b" " * 40000)
    data = head("POST /login", JSON, "Transfer-Encoding: chunked") + chunk * 2
    answer = await ask(running.port, data)
    assert (answer.status, problem(answer)["code"]) == (413, "body_too_large")


async def test_a_body_at_the_limit_is_read(running: RunningGateway) -> None:
    """64 KiB of a login are still a login."""
    fields = {"app": "shop-wechat", "code": await running.code()}
    body = json.dumps(fields).encode().ljust(MAX_BODY_BYTES)
    token_of(await send(running, "POST /login", body, JSON))


async def test_a_chunked_body_is_read(running: RunningGateway) -> None:
    """However it is cut."""
    body = json.dumps({"app": "shop-wechat", "code": await running.code()}).encode()
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    token_of(
        await ask(running.port, head("POST /login", JSON, "Transfer-Encoding: chunked") + chunks)
    )


@pytest.mark.parametrize("chunk", [b"zz\r\n", b"1\r\nab\r\n", b"-1\r\n"])
@pytest.mark.parametrize("is_late", [False, True])
async def test_broken_chunks_are_a_bad_request(
    running: RunningGateway, chunk: bytes, is_late: bool
) -> None:
    """Also where they come after the handler began to read."""
    client = await connect(running.port)
    await client.send(head("POST /login", JSON, "Transfer-Encoding: chunked") + b"1\r\n{\r\n")
    if is_late:
        assert (await running.get("/hello.txt")).status == 200  # by now our handler reads
    await client.send(chunk)
    answer = await client.answer()
    assert (answer.status, problem(answer)["code"]) == (400, "bad_request")
    assert await client.is_closed()
    await client.close()


async def test_expect_continue_is_answered(running: RunningGateway) -> None:
    """Headers, 100, body, answer (RFC 9110 10.1.1)."""
    body = json.dumps({"app": "shop-wechat", "code": await running.code()}).encode()
    client = await connect(running.port)
    await client.send(
        head("POST /login", JSON, "Expect: 100-continue", f"Content-Length: {len(body)}")
    )
    assert (await client.answer()).status == 100
    await client.send(body)
    token_of(await client.answer())
    await client.close()


async def test_expect_continue_is_not_answered_for_a_body_we_refuse(
    running: RunningGateway,
) -> None:
    """The client need not send what would be thrown away."""
    answer = await ask(
        running.port,
        head("POST /login", JSON, "Expect: 100-continue", f"Content-Length: {2**20}"),
    )
    assert answer.status == 413
    assert answer.value("Connection") == "close"


async def test_the_body_of_any_endpoint_is_read(running: RunningGateway) -> None:
    """Logout uses no field of it; still the connection lives on, and rubbish is refused."""
    token = await running.login()
    client = await connect(running.port)
    for body, status in ((b"hello", 400), (b"{}", 204)):
        await client.send(
            head(
                "POST /logout",
                JSON,
                f"Authorization: Bearer {token}",
                f"Content-Length: {len(body)}",
            )
            + body
        )
        assert (await client.answer()).status == status
    await client.close()


async def test_a_body_that_stops_arriving_is_a_bad_request() -> None:
    """The reader waits no longer than it is told."""
    refused: list[str] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        raw = RawRequest(request.method, "/", request.version, request.raw_headers, "127.0.0.1")
        admitted = admit(raw, "id", Trust([], "x-real-ip"), AdmissionLimits())
        with pytest.raises(GatewayError) as error:
            await read_fields(request, admitted, whole_s=0.05)
        refused.append(error.value.code)
        return web.Response()

    server = web.Server(handle, lingering_time=0)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    client = await connect(port)
    await client.send(head("POST /", JSON, "Content-Length: 9") + b"{")
    assert (await client.answer()).status == 200
    assert refused == ["bad_request"]
    await client.close()
    listening.close()
    await server.shutdown(0)


def test_a_form_says_each_field_once() -> None:
    """Blank values stay, order does not matter."""
    assert read_form("a=1&b=&c=%E4%BD%A0+x") == {"a": "1", "b": "", "c": "你 x"}
    assert read_form("") == {}
    with pytest.raises(GatewayError) as refused:
        read_form("a=1&a=1")
    assert refused.value.code == "bad_request"


async def test_json_under_a_forms_content_type_is_told(running: RunningGateway) -> None:
    """What curl -d does by itself; read as a form it would be one odd field."""
    body = b' {"app":"shop-wechat","code":"x"}'
    head = (
        "POST /login HTTP/1.1\r\nHost: gw\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    refused = problem(await ask(running.port, head.encode() + body))
    assert (refused["code"], refused["status"]) == ("bad_request", 400)
    assert "looks like JSON" in str(refused["detail"])
