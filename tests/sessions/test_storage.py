"""aiohttp-session over the service, through its real middleware and a real socket."""

import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import aiohttp_session
import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from aiohttp_session import AbstractStorage, get_session, new_session, session_middleware

from gateway.errors import GatewayError, render
from gateway.sessions.keyring import KeyRing
from gateway.sessions.service import Issued, NewLogin, SessionPolicy, SessionService
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.storage import RequestSession, TokenStorage, current
from gateway.sessions.token import TokenSigner
from tests.support.sessions import HandClock, make_subject

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Client = Callable[[str, str | None], Awaitable[tuple[int, str, aiohttp.ClientResponse]]]


async def show(request: web.Request) -> web.StreamResponse:
    """Answer with what a handler sees of the session."""
    session = await get_session(request)
    record = current(session)
    seen = {
        "new": session.new,
        "identity": session.identity,
        "shown": dict(session),
        "openid": None if record is None else record.openid,
        "repr": repr(session),
    }
    return web.json_response(seen)


async def logout(request: web.Request) -> web.StreamResponse:
    (await get_session(request)).invalidate()
    return web.Response(status=204)


async def logout_and_write(request: web.Request) -> web.StreamResponse:
    session = await get_session(request)
    session.invalidate()
    session["message"] = "goodbye"
    return web.Response(status=204)


async def logout_and_raise(request: web.Request) -> web.StreamResponse:
    (await get_session(request)).invalidate()
    raise web.HTTPForbidden


async def write(request: web.Request) -> web.StreamResponse:
    session = await get_session(request)
    session["openid"] = "somebody else"
    return web.json_response({"lives": current(session) is not None})


async def start_anew(request: web.Request) -> web.StreamResponse:
    session = await new_session(request)
    session["message"] = "hello"
    return web.json_response({"new": session.new, "record": current(session)})


HANDLERS: dict[str, Handler] = {
    "/show": show,
    "/logout": logout,
    "/logout-write": logout_and_write,
    "/logout-raise": logout_and_raise,
    "/write": write,
    "/new": start_anew,
}


def read_token(request: web.BaseRequest) -> str | None:
    if "X-Conflict" in request.headers:
        raise GatewayError("token_conflict")
    return request.headers.get("X-Session-Token")


def serve(storage: AbstractStorage) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    """The own endpoints as a low-level server's handler, as the entry does it."""
    middleware = session_middleware(storage)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        try:
            # The middleware is typed for Request and uses nothing that BaseRequest lacks.
            return await middleware(request, HANDLERS[request.path])  # type: ignore[arg-type]  # see above
        except GatewayError as error:
            answer = render(error, "test")
            return web.Response(status=answer.status, headers=answer.headers, body=answer.body)
        except web.HTTPException as error:
            return web.Response(status=error.status)

    return handle


@pytest.fixture
async def service(sqlite_store: SqliteStore, clock: HandClock) -> AsyncIterator[SessionService]:
    """An open service."""
    policy = SessionPolicy(1000, 1000, None, 10)
    service = SessionService(
        sqlite_store,
        TokenSigner(["k" * 32]),
        KeyRing([b"e" * 32]),
        clock,
        policy,
        secrets.token_bytes,
    )
    await service.open()
    yield service
    await service.close()


@pytest.fixture
async def issued(service: SessionService) -> Issued:
    """A session of alice's."""
    return await service.create(NewLogin("shop", make_subject("o-alice"), openid="o-alice"))


@pytest.fixture
async def ask(service: SessionService) -> AsyncIterator[Client]:
    """Ask the server for a path with a token, over a socket."""
    server = RawTestServer(serve(TokenStorage(service, read_token)))
    await server.start_server()
    async with aiohttp.ClientSession() as client:

        async def call(path: str, token: str | None) -> tuple[int, str, aiohttp.ClientResponse]:
            headers = {} if token is None else {"X-Session-Token": token}
            async with client.get(server.make_url(path), headers=headers) as response:
                return response.status, await response.text(), response

        yield call
    await server.close()


async def test_with_a_token(ask: Client, issued: Issued) -> None:
    """A handler gets the session of the token: a few plain fields, and the typed record."""
    status, text, response = await ask("/show", issued.token)
    seen = json.loads(text)
    assert status == 200
    assert (seen["new"], seen["identity"]) == (False, issued.session.key)
    assert seen["openid"] == "o-alice"
    assert seen["shown"] == {
        "platform": "wechat",
        "app_id": "wx1",
        "app": "shop",
        "anonymous": False,
        "created_at": issued.session.created_at,
        "expires_at": issued.session.expires_at,
    }
    assert "Set-Cookie" not in response.headers


async def test_nothing_personal_is_printed(ask: Client, issued: Issued) -> None:
    """A session in a log line shows neither openid nor token."""
    _, text, _ = await ask("/show", issued.token)
    assert "o-alice" not in json.loads(text)["repr"]
    assert issued.token not in text


async def test_without_a_token(ask: Client) -> None:
    """Without a token a handler gets a new, empty session."""
    _, text, response = await ask("/show", None)
    seen = json.loads(text)
    assert (seen["new"], seen["identity"], seen["shown"]) == (True, None, {})
    assert seen["openid"] is None
    assert "Set-Cookie" not in response.headers


async def test_bad_token(ask: Client, issued: Issued, service: SessionService) -> None:
    """A bad token's outcome reaches the answer; it is never taken for no token."""
    status, text, _ = await ask("/show", "gw1.forged")
    assert (status, json.loads(text)["code"]) == (401, "session_invalid")
    await service.end(issued.session.key)
    status, text, _ = await ask("/show", issued.token)
    assert (status, json.loads(text)["code"]) == (401, "session_revoked")


async def test_conflict(service: SessionService) -> None:
    """What the token's reader refuses, the storage does not excuse."""

    def refuse(request: web.BaseRequest) -> str | None:
        raise GatewayError("token_conflict")

    server = RawTestServer(serve(TokenStorage(service, refuse)))
    await server.start_server()
    async with aiohttp.ClientSession() as client, client.get(server.make_url("/show")) as response:
        assert response.status == 400
        assert response.headers["X-Gateway-Error"] == "token_conflict"
    await server.close()


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/logout", 204, "invalidated"),
        ("/logout-write", 204, "invalidated, then written to: it is ended all the same"),
        ("/logout-raise", 403, "invalidated by a handler that then refuses"),
    ],
)
async def test_invalidated(
    ask: Client, issued: Issued, path: str, status: int, reason: str
) -> None:
    """An invalidated session is ended by the time the answer is there."""
    found, _, response = await ask(path, issued.token)
    assert found == status, reason
    assert "Set-Cookie" not in response.headers
    _, text, _ = await ask("/show", issued.token)
    assert json.loads(text)["code"] == "session_revoked", reason


async def test_invalidated_without_a_session(ask: Client) -> None:
    """Ending no session is no error."""
    assert (await ask("/logout", None))[0] == 204


async def test_written_to(ask: Client, issued: Issued) -> None:
    """What a handler writes is its own: nothing is kept, nobody becomes somebody else."""
    _, text, response = await ask("/write", issued.token)
    assert json.loads(text) == {"lives": True}
    assert "Set-Cookie" not in response.headers
    _, text, _ = await ask("/show", issued.token)
    assert json.loads(text)["openid"] == "o-alice"


async def test_new_session(ask: Client, issued: Issued) -> None:
    """A new session of aiohttp-session's is empty and leaves the client's alone."""
    _, text, response = await ask("/new", issued.token)
    assert json.loads(text) == {"new": True, "record": None}
    assert "Set-Cookie" not in response.headers
    assert (await ask("/show", issued.token))[0] == 200


async def test_store_away_at_logout(ask: Client, issued: Issued, sqlite_store: SqliteStore) -> None:
    """A logout that could not be kept is no 204."""
    await sqlite_store.close()
    assert (await ask("/logout", issued.token))[0] == 503
    await sqlite_store.open()
    assert (await ask("/logout", issued.token))[0] == 204


def test_current_of_a_foreign_session() -> None:
    """A session that is not ours holds none of ours."""
    assert current(aiohttp_session.Session("key", data=None, new=False)) is None
    assert current(RequestSession(None)) is None
