"""The only caller out: one exchange, sent at most once, bounded, and silent about secrets."""

import asyncio
import datetime as dt
import gc
import ssl
import tracemalloc
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.errors import GatewayError
from gateway.platforms.api import MAX_REPLY_BYTES, ApiCaller, Call, open_api_caller
from gateway.platforms.base import PlatformApp
from tests.support.leaks import everything_said, leaked
from tests.support.platform_server import (
    PlatformServer,
    answer,
    bomb_answer,
    drop,
    json_answer,
    open_platform_server,
)

SECRET = "5ecret0f0ur5"


def app_at(base: str | None, *, proxy: str | None = None, timeout_s: float = 5.0) -> PlatformApp:
    return PlatformApp(
        "shop", "wechat", "wx1", SECRET, api_base=base, proxy=proxy, timeout_s=timeout_s
    )


def get(**query: str) -> Call:
    return Call("GET", "https://platform.invalid", "/login", query={"secret": SECRET, **query})


async def fail(caller: ApiCaller, app: PlatformApp, call: Call) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await caller.line(app).ask(call)
    assert leaked(caught.value, SECRET, "?") == []
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value


# Encoding

AWKWARD = [
    pytest.param("a+b", id="a plus is not a space"),
    pytest.param("a b", id="a space"),
    pytest.param("a@b", id="Baidu's federated codes"),
    pytest.param("a&b=c", id="another parameter"),
    pytest.param("100%25", id="percent signs, encoded or not"),
    pytest.param("a#b?c/d\\e", id="the URL's own signs"),
    pytest.param("'\"<>`{}|^", id="quotes and brackets"),
    pytest.param("微信抖音", id="Chinese"),
    pytest.param("🎬", id="beyond the basic plane"),
    pytest.param("~-._", id="unreserved"),
]


@pytest.mark.parametrize("value", AWKWARD)
async def test_values_arrive_as_they_were(
    caller: ApiCaller, server: PlatformServer, value: str
) -> None:
    """Query, form and JSON values survive the way, whatever is in them."""
    server.script.extend([json_answer({})] * 3)
    line = caller.line(app_at(server.base))
    await line.ask(Call("GET", "https://p.invalid", "/a", query={"v": value}))
    await line.ask(Call("POST", "https://p.invalid", "/b", form={"v": value}))
    await line.ask(Call("POST", "https://p.invalid", "/c", document={"v": value}))
    query, form, document = server.received
    assert (query.query, form.form, document.document) == ({"v": value},) * 3
    assert query.target.isascii()


async def test_the_base_replaces_scheme_and_host_and_the_path_stays(
    caller: ApiCaller, server: PlatformServer
) -> None:
    """A base may have a path of its own, in front."""
    server.script.extend([json_answer({})] * 2)
    await caller.line(app_at(server.base)).ask(get())
    await caller.line(app_at(server.base + "/wechat")).ask(get())
    assert [request.path for request in server.received] == ["/login", "/wechat/login"]


# Sent at most once


async def test_aiohttp_repeats_a_lost_get_by_itself(server: PlatformServer) -> None:
    """What we guard against, measured: on a fresh connection, and with force_close too."""
    server.script.extend([drop, drop])
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.get(server.base + "/login")
    assert len(server.received) == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_lost_exchange_is_sent_once(
    caller: ApiCaller, server: PlatformServer, method: str
) -> None:
    """The platform reads the request and closes: one request, no more."""
    call = get() if method == "GET" else Call("POST", "https://p.invalid", "/login", form={})
    server.script.append(drop)
    error = await fail(caller, app_at(server.base), call)
    await asyncio.sleep(0.05)  # a repeat would be here by now
    assert (error.code, len(server.received)) == ("platform_error", 1)


async def test_a_lost_exchange_is_sent_once_after_an_earlier_one(
    caller: ApiCaller, server: PlatformServer
) -> None:
    """An earlier answer left its connection open: it is not used again, and nothing is repeated."""
    server.script.extend([json_answer({}), drop])
    await caller.line(app_at(server.base)).ask(get())
    error = await fail(caller, app_at(server.base), get())
    await asyncio.sleep(0.05)
    assert (error.code, len(server.received), server.connections) == ("platform_error", 2, 2)


async def test_a_reset_connection_is_lost_too(caller: ApiCaller, server: PlatformServer) -> None:
    """A reset is another error in aiohttp than a close, and as final."""

    async def reset(writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    server.script.append(reset)
    error = await fail(caller, app_at(server.base), get())
    assert (error.code, len(server.received)) == ("platform_error", 1)


# Not sent at all


async def test_a_refused_connection_is_a_busy_platform(
    caller: ApiCaller, unused_tcp_port: int
) -> None:
    """Nothing was sent, so the code is still fresh."""
    error = await fail(caller, app_at(f"http://127.0.0.1:{unused_tcp_port}"), get())
    assert error.code == "platform_busy"
    assert "connection refused" in error.detail


async def test_an_unknown_name_is_a_busy_platform(caller: ApiCaller) -> None:
    """RFC 6761 keeps .invalid free of names."""
    error = await fail(caller, app_at(None), get())
    assert error.code == "platform_busy"
    assert "its name is not found" in error.detail


async def test_a_connection_that_is_never_made_is_a_busy_platform(caller: ApiCaller) -> None:
    """A TLS handshake that never ends has sent no request: busy, not platform_timeout."""
    writers: list[asyncio.Task[None]] = []

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(asyncio.current_task() or pytest.fail("no task"))
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(keep, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    app = app_at(f"https://127.0.0.1:{port}", timeout_s=0.2)
    error = await fail(caller, app, get())
    listener.close()
    await asyncio.gather(*writers)
    assert error.code == "platform_busy"


@pytest.mark.parametrize("base", ["http://", "ftp://127.0.0.1", "http://127.0.0.1:99999", "x"])
async def test_a_base_that_is_no_url_is_a_settings_error(caller: ApiCaller, base: str) -> None:
    """Settings refuse these at start; if one gets here, nobody else is blamed."""
    error = await fail(caller, app_at(base), get())
    assert error.code == "platform_config"


# TLS


def make_certificate(folder: Path, address: str) -> tuple[Path, Path]:
    """A certificate that signs itself, for one address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "platform")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), False)
        .sign(key, hashes.SHA256())
    )
    pem, key_pem = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem, key_pem


@pytest.mark.parametrize(
    ("address", "is_trusted", "is_reached"),
    [
        pytest.param("127.0.0.1", True, True, id="a trusted certificate of this address"),
        pytest.param("127.0.0.1", False, False, id="nobody we trust signed it"),
        pytest.param("127.0.0.2", True, False, id="it is for another address"),
    ],
)
async def test_tls_is_verified(
    tmp_path: Path, address: str, is_trusted: bool, is_reached: bool
) -> None:
    """attacks.md S16: no request leaves before the platform has proved who it is."""
    pem, key_pem = make_certificate(tmp_path, address)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(pem, key_pem)
    ours = ssl.create_default_context(cafile=str(pem)) if is_trusted else None
    async with open_platform_server(theirs) as server, open_api_caller(ours) as caller:
        server.script.append(json_answer({"openid": "o"}))
        if is_reached:
            await caller.line(app_at(server.base)).ask(get())
        else:
            error = await fail(caller, app_at(server.base), get())
            assert (error.code, "certificate" in error.detail) == ("platform_busy", True)
        assert len(server.received) == is_reached


# Proxies, cookies, environment


async def test_the_apps_proxy_is_used_and_the_environments_is_not(
    caller: ApiCaller, server: PlatformServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the settings say where a secret goes."""
    async with open_platform_server() as other:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, other.base)
        server.script.extend([json_answer({}), json_answer({})])
        await caller.line(app_at(server.base)).ask(get())
        proxy = server.base.replace("http://", "http://user:pass@")
        await caller.line(app_at("http://platform.invalid", proxy=proxy)).ask(get())
        assert other.connections == 0
    direct, through = server.received
    assert direct.target.startswith("/login?")
    assert through.target.startswith("http://platform.invalid/login?")
    assert through.headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"


async def test_a_proxy_that_refuses_the_tunnel_sent_nothing(
    caller: ApiCaller, server: PlatformServer
) -> None:
    """CONNECT is refused before the platform hears of us; its password stays untold."""
    server.script.append(answer("", "407 Proxy Authentication Required"))
    proxy = server.base.replace("http://", "http://user:pa55word@")
    error = await fail(caller, app_at("https://platform.invalid", proxy=proxy), get())
    assert (error.code, server.received[0].method) == ("platform_busy", "CONNECT")
    assert leaked(error, "pa55word") == []


async def test_a_proxy_that_is_not_there_sent_nothing(
    caller: ApiCaller, unused_tcp_port: int
) -> None:
    """As when the platform itself refuses the connection."""
    app = app_at("https://platform.invalid", proxy=f"http://127.0.0.1:{unused_tcp_port}")
    assert (await fail(caller, app, get())).code == "platform_busy"


async def test_no_cookie_is_kept(caller: ApiCaller, server: PlatformServer) -> None:
    """A platform's cookie would mix users up."""
    server.script.extend([answer("{}", "200 OK", "Set-Cookie: a=b; Path=/"), json_answer({})])
    line = caller.line(app_at(server.base.replace("127.0.0.1", "localhost")))
    await line.ask(get())
    await line.ask(get())
    assert "cookie" not in server.received[1].headers


# Reading


async def test_json_is_read_whatever_the_label_and_the_status(
    caller: ApiCaller, server: PlatformServer
) -> None:
    """Errors come with any HTTP status, and WeChat's JSON is text/plain."""
    for status in ("200 OK", "400 Bad", "404 No", "429 Slow", "500 Oops", "503 Busy"):
        for label in ("text/plain", "text/html", "application/octet-stream"):
            server.script.append(answer('{"errcode":1}', status, f"Content-Type: {label}"))
            reply = await caller.line(app_at(server.base)).ask(get())
            assert (reply.status, reply.body) == (int(status[:3]), {"errcode": 1})


@pytest.mark.parametrize(
    ("status", "code", "retry_after_s"),
    [
        ("200 OK", "platform_error", None),
        ("404 Not Found", "platform_error", None),
        ("429 Too Many Requests", "rate_limited", 60),
        ("500 Internal Server Error", "platform_busy", 5),
        ("503 Service Unavailable", "platform_busy", 5),
        ("304 Not Modified", "platform_error", None),
    ],
)
async def test_an_unreadable_body_is_judged_by_its_status(
    caller: ApiCaller, server: PlatformServer, status: str, code: str, retry_after_s: int | None
) -> None:
    """The table of the module, one row each."""
    server.script.append(answer("<html>", status))
    error = await fail(caller, app_at(server.base), get())
    assert (error.code, error.retry_after_s) == (code, retry_after_s)


async def test_the_limit_is_1_mib(caller: ApiCaller, server: PlatformServer) -> None:
    """Exactly 1 MiB is read, a byte more is not."""
    for size, is_read in ((MAX_REPLY_BYTES, True), (MAX_REPLY_BYTES + 1, False)):
        server.script.append(answer(b"{}".ljust(size)))
        line = caller.line(app_at(server.base))
        if is_read:
            assert (await line.ask(get())).body == {}
        else:
            assert (await fail(caller, app_at(server.base), get())).code == "platform_error"


async def test_a_gzip_bomb_costs_little_memory(caller: ApiCaller, server: PlatformServer) -> None:
    """128 MiB behind a small body: decompressing ends at the limit."""
    server.script.append(bomb_answer(128))
    gc.collect()
    tracemalloc.start()
    error = await fail(caller, app_at(server.base), get())
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert error.code == "platform_error"
    assert peak_bytes < 8 * MAX_REPLY_BYTES


async def test_a_gzip_answer_is_read(caller: ApiCaller, server: PlatformServer) -> None:
    """Compression as such is fine."""
    server.script.append(bomb_answer(0))
    assert (await caller.line(app_at(server.base)).ask(get())).body == {"openid": "o-bomb"}


# Time


async def test_the_deadline_covers_all_calls_of_a_line(
    caller: ApiCaller, server: PlatformServer
) -> None:
    """A line's time does not start again with each call."""

    async def slowly(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        if not writer.is_closing():  # uvloop refuses to write then
            writer.write(json_answer({}))

    server.script.extend([slowly, slowly])
    line = caller.line(app_at(server.base, timeout_s=0.5))
    await line.ask(get())
    with pytest.raises(GatewayError) as caught:
        await line.ask(get())
    assert caught.value.code == "platform_timeout"


async def test_a_caller_that_is_cancelled_is_cancelled(
    caller: ApiCaller, server: PlatformServer
) -> None:
    """A login whose client has gone ends, and is no time-out."""
    arrived = asyncio.Event()

    async def hold(writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await writer.wait_closed()

    server.script.append(hold)
    task = asyncio.create_task(caller.line(app_at(server.base)).ask(get()))
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# Saying nothing


def test_the_leak_check_sees_leaks() -> None:
    """A context, a cause, a detail and a local variable would all be seen."""
    error = GatewayError("platform_error", f"detail {SECRET}-1")
    error.__context__ = ValueError(f"context {SECRET}-2")
    error.__cause__ = ValueError(f"cause {SECRET}-3")
    said = everything_said(error)
    assert all(f"{SECRET}-{number}" in said for number in (1, 2, 3))


def test_calls_and_apps_do_not_print_what_they_carry() -> None:
    """`repr` is what logs and tracebacks show."""
    app = app_at(None, proxy="http://user:pa55word@proxy")
    call = Call("POST", "https://p", "/x", {"q": SECRET}, {"f": SECRET}, {"d": SECRET})
    assert SECRET not in repr((app, call))
    assert "pa55word" not in repr(app)
