"""The only caller out: one HTTP exchange with a platform, sent at most once.

It decides how an exchange may end; it must not know what a platform's error numbers mean.

| what happened | outcome |
| --- | --- |
| not sent: connection refused, name not found, TLS not verified, proxy refused | platform_busy |
| not sent: `timeout_s` over before there was a connection | platform_busy |
| not sent: `api_base` or `proxy` is no usable http(s) URL | platform_config |
| `timeout_s` over once there was a connection | platform_timeout |
| connection lost afterwards, answer malformed, redirect | platform_error |
| body not a JSON object, or over 1 MiB after decompression: status 429 | rate_limited |
| the same: status 5xx | platform_busy |
| the same: any other status | platform_error |
| a JSON object, whatever the status and content type | a `Reply`; its platform's file reads it |

This follows design section 6: what cannot be connected to is unavailable (503, the code is still
fresh), what was lost afterwards is an error (502) or a time-out (504), and the code may be used up.

Sent at most once. aiohttp's client repeats a GET by itself when the connection is lost before an
answer (`ClientSession._request`, `retry_persistent_connection`). Measured on 3.14.5: it does so
on a fresh connection too, and with `force_close`, so that is no help. It repeats only on two
kinds of error; a client middleware, which runs inside that loop, turns them into another kind.
Connections are fresh for each exchange as well: a pooled one may be closed by the
platform just as a login is written to it, and that login could not be sent again.

Secrets and codes travel in query strings, and aiohttp's errors carry the URL. So outcomes are
raised outside every `except`: they have neither a cause nor a context, and no traceback can
print one. Calls and replies hide their content from `repr`.
"""

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Literal
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from gateway.errors import GatewayError
from gateway.platforms.base import PlatformApp
from gateway.platforms.jsontext import parse_object

MAX_REPLY_BYTES = 1024 * 1024  # design section 4; real replies are under 1 KiB
MAX_CONNECTIONS = 256  # per process; further logins wait, and their time-out runs
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Call:
    """What to send to a platform, before any encoding.

    `origin` is its scheme and host. A `form` is urlencoded, a `document` is JSON; at most one.
    """

    method: Literal["GET", "POST"]
    origin: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    document: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """A JSON object from the platform, and the HTTP status it came with."""

    status: int
    body: Mapping[str, object] = field(repr=False)


@dataclass(slots=True)
class _Progress:
    """Whether bytes may have left: true from the moment there is a connection."""

    connected: bool = False


class _ConnectionLostError(aiohttp.ClientError):
    """The connection broke after bytes may have been sent. aiohttp does not repeat on this kind."""


class ApiCaller:
    """Makes exchanges over one client session; `open_api_caller` builds it with its guarantees."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    def line(self, app: PlatformApp) -> "Line":
        """Begin one login at one app; `timeout_s` of the app runs from here, over all its calls."""
        return Line(self._session, app, asyncio.get_running_loop().time() + app.timeout_s)


class Line:
    """One login's calls to one app's platform, under one deadline (in the loop's time)."""

    def __init__(self, session: aiohttp.ClientSession, app: PlatformApp, ends_at: float) -> None:
        self._session = session
        self._ends_at = ends_at
        self.app = app

    async def ask(self, call: Call) -> Reply:
        """Make one exchange, and never a second one.

        Raises: GatewayError, by the table at the top of this file.
        """
        outcome = await self._attempt(call)
        if isinstance(outcome, GatewayError):
            raise outcome
        return outcome

    async def _attempt(self, call: Call) -> Reply | GatewayError:
        progress = _Progress()
        try:
            async with asyncio.timeout_at(self._ends_at):
                status, body = await self._exchange(call, progress)
        except TimeoutError:
            return _timed_out(progress)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _broken(error) if progress.connected else _unreachable(error)
        return _read_reply(status, body)

    async def _exchange(self, call: Call, progress: _Progress) -> tuple[int, bytes | None]:
        data, content_type = _encode_body(call)
        async with self._session.request(
            call.method,
            _build_url(self.app.api_base or call.origin, call),
            data=data,
            headers={"Content-Type": content_type} if content_type else None,
            allow_redirects=False,
            proxy=self.app.proxy,
            trace_request_ctx=progress,
        ) as response:
            return response.status, await _read_bounded(response)


@asynccontextmanager
async def open_api_caller(ssl_context: ssl.SSLContext | None = None) -> AsyncIterator[ApiCaller]:
    """Open the caller of one process: TLS verified, no cookies, no environment proxies.

    `ssl_context` replaces the system's certificate authorities; it must verify.
    """
    tracing = aiohttp.TraceConfig()
    tracing.on_connection_create_end.append(_mark_connected)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            ssl=ssl_context or True, force_close=True, limit=MAX_CONNECTIONS
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept": "application/json", "User-Agent": "miniprogram-gateway"},
        middlewares=(_send_once,),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        trace_configs=[tracing],
        trust_env=False,
    ) as session:
        yield ApiCaller(session)


# Sending


async def _send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating the request; it already lets connect errors pass."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
        pass
    raise _ConnectionLostError


async def _mark_connected(
    _session: aiohttp.ClientSession,
    context: SimpleNamespace,
    _params: aiohttp.TraceConnectionCreateEndParams,
) -> None:
    context.trace_request_ctx.connected = True


def _build_url(origin: str, call: Call) -> URL:
    """Percent-encode all but unreserved characters, so that `+ & @ %` arrive as they are."""
    url = URL(origin + call.path)
    if not call.query:
        return url
    return URL(f"{url}?{urlencode(call.query, quote_via=quote)}", encoded=True)


def _encode_body(call: Call) -> tuple[bytes | None, str | None]:
    if call.form is not None:
        return urlencode(call.form, quote_via=quote).encode(), FORM
    if call.document is not None:
        return json.dumps(call.document).encode(), "application/json"
    return None, None


# Reading


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes | None:
    """Read at most 1 MiB of decompressed body; None when there is more.

    aiohttp decompresses piece by piece as we read, so a bomb is left unread.
    """
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MAX_REPLY_BYTES:
            response.close()
            return None
    return bytes(body)


def _read_reply(status: int, body: bytes | None) -> Reply | GatewayError:
    if 300 <= status < 400:  # RFC 9110 15.4; following one would carry the secret elsewhere
        return GatewayError("platform_error", "the platform answered with a redirect")
    document = parse_object(body) if body is not None else None
    if document is not None:
        return Reply(status, document)
    return unreadable(status)


def unreadable(status: int) -> GatewayError:
    """Say what an answer means that holds nothing to go by except its HTTP status."""
    if status == 429:  # RFC 6585 section 4
        return GatewayError("rate_limited", "the platform limits our calls")
    if status >= 500:  # RFC 9110 15.6
        return GatewayError("platform_busy", "the platform failed; log in with a new code")
    return GatewayError("platform_error", "the platform's answer cannot be read")


# Failing


def _timed_out(progress: _Progress) -> GatewayError:
    if progress.connected:
        detail = "the platform did not answer in time; the code may be used up"
        return GatewayError("platform_timeout", detail)
    return GatewayError("platform_busy", "the platform could not be reached in time")


def _broken(error: Exception) -> GatewayError:
    lost = isinstance(error, (_ConnectionLostError, OSError))
    what = "closed the connection without an answer" if lost else "sent a malformed answer"
    return GatewayError("platform_error", f"the platform {what}; the code may be used up")


def _unreachable(error: Exception) -> GatewayError:
    """Nothing was sent. aiohttp's certificate and URL errors are both ValueErrors."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return GatewayError("platform_busy", "the platform's certificate is not trusted")
    if isinstance(error, (ValueError, aiohttp.NonHttpUrlClientError)):
        return GatewayError("platform_config", "api_base or proxy is no usable http(s) URL")
    if isinstance(error, (aiohttp.ClientHttpProxyError, aiohttp.ClientProxyConnectionError)):
        return GatewayError("platform_busy", "the outbound proxy does not let us through")
    return GatewayError("platform_busy", f"the platform cannot be reached: {_cause(error)}")


def _cause(error: Exception) -> str:
    """Name the cause in our own or the system's words; aiohttp's would name the URL."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not found"
    if isinstance(error, aiohttp.ClientSSLError):
        return "no TLS connection can be made"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    return "the connection failed"
