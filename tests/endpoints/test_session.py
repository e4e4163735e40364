"""`/session`, `/session/renew` and `/logout`: what a client may know and do about its session."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.sessions.service import SessionService
from tests.support.endings import until
from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.own import JSON, bearer, send, token_of, who
from tests.support.redis_server import RedisServer, running_redis
from tests.support.sessions import HandClock

DAY_S = 86400


async def shown(running: RunningGateway, token: str) -> dict[str, object]:
    answer = await running.get("/session", bearer(token))
    assert answer.status == 200, answer
    body: dict[str, object] = json.loads(answer.body)
    return body


async def test_a_client_learns_about_its_session(tmp_path: Path) -> None:
    """Platform, app and moments; no openid, and `expires_in` is true at any time."""
    clock = HandClock()
    changes = {"session": {"lifetime": "2d", "idle_timeout": None}}
    async with run_gateway(tmp_path, changes, clock) as running:
        token = await running.login("shop-douyin")
        began_at = int(clock())
        clock.forward(DAY_S)
        assert await shown(running, token) == {
            "platform": "douyin",
            "app": "shop-douyin",
            "created_at": began_at,
            "expires_at": began_at + 2 * DAY_S,
            "expires_in": DAY_S - 1,  # the clock stands at a quarter of a second
            "anonymous": False,
        }
        clock.forward(DAY_S - 1)
        assert (await shown(running, token))["expires_in"] == 0
        clock.forward(1)
        answer = await running.get("/session", bearer(token))
        assert problem(answer)["code"] == "session_expired"


async def test_expires_in_of_a_login_is_kept(tmp_path: Path) -> None:
    """The token is good for as long as the login said, and no second longer than it may be."""
    clock = HandClock()
    async with run_gateway(tmp_path, {"session": {"lifetime": "1h"}}, clock) as running:
        answer = await running.post("/login", {"app": "shop-wechat", "code": await running.code()})
        told = json.loads(answer.body)
        assert told["expires_at"] == int(clock()) + 3600
        clock.forward(told["expires_in"])
        assert (await who(running, told["token"])).status == 200
        clock.forward(1)
        assert problem(await who(running, told["token"]))["code"] == "session_expired"


async def test_expires_in_is_true_after_lifetime_was_shortened(tmp_path: Path) -> None:
    """`/session`, a login sent again and a renewal asked again tell the token's own end."""
    clock, key = HandClock(), f"Idempotency-Key: {'k' * 16}"
    store = {"store": "sqlite:./shared.db", "max_lifetime": "9d"}
    async with run_gateway(tmp_path, {"session": {**store, "lifetime": "8d"}}, clock) as before:
        token, renewed = await before.login(), await before.login()
        await renew(before, renewed)
        fields = {"app": "shop-wechat", "code": await before.code()}
        assert (await before.post("/login", fields, key)).status == 200
    clock.forward(30)
    async with run_gateway(tmp_path, {"session": {**store, "lifetime": "1h"}}, clock) as after:
        told = await shown(after, token)
        assert (told["expires_in"], told["expires_at"]) == (3600 - 30 - 1, int(clock()) + 3570)
        again = json.loads((await after.post("/login", fields, key)).body)
        for answer in (again, await renew(after, renewed)):
            assert answer["expires_at"] == int(clock()) + 3600
            assert await shown(after, str(answer["token"])) == {name: answer[name] for name in told}
        clock.forward(3571)
        assert problem(await who(after, token))["code"] == "session_expired"


async def test_the_openid_is_shown_only_where_settings_say_so(tmp_path: Path) -> None:
    """At login and at /session (attacks.md L6); a guest has none."""
    async with run_gateway(tmp_path, {"session": {"expose_openid": True}}) as running:
        given = await running.codes("shop-douyin")
        login = await running.post("/login", {"app": "shop-douyin", "code": given["code"]})
        assert json.loads(login.body)["openid"] == given["openid"]
        assert (await shown(running, token_of(login)))["openid"] == given["openid"]
        guest = await running.codes("shop-douyin", "bob")
        fields = {"app": "shop-douyin", "anonymous_code": guest["anonymous_code"]}
        assert json.loads((await running.post("/login", fields)).body)["openid"] is None


# -- renewal --------------------------------------------------------------------------------------


async def renew(running: RunningGateway, token: str) -> dict[str, object]:
    answer = await send(running, "POST /session/renew", b"", bearer(token))
    assert answer.status == 200, answer
    assert answer.value("Cache-Control") == "no-store"
    body: dict[str, object] = json.loads(answer.body)
    return body


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of this test alone."""
    yield from running_redis(tmp_path)


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest) -> dict[str, object]:
    """The setting of each kind of store in turn."""
    if request.param == "sqlite":
        return {"store": "sqlite:./gateway.db"}
    server: RedisServer = request.getfixturevalue("redis")
    return {"store": server.url}


async def test_a_renewal_answers_as_a_login(tmp_path: Path, store: dict[str, object]) -> None:
    """The same fields; `created_at` stays the login's, `expires_in` is true."""
    clock = HandClock()
    changes = {"session": {**store, "lifetime": "2d", "idle_timeout": None}}
    async with run_gateway(tmp_path, changes, clock) as running:
        login = await running.post("/login", {"app": "shop-wechat", "code": await running.code()})
        told = json.loads(login.body)
        clock.forward(DAY_S)
        new = await renew(running, told["token"])
        assert new == {
            **told,
            "token": new["token"],
            "expires_at": int(clock()) + 2 * DAY_S,
            "expires_in": 2 * DAY_S - 1,
        }
        assert new["token"] != told["token"]
        clock.forward(int(str(new["expires_in"])))
        assert (await shown(running, str(new["token"])))["expires_in"] == 0
        clock.forward(1)
        assert problem(await who(running, str(new["token"])))["code"] == "session_expired"


async def test_the_old_token_goes_on_for_a_minute(tmp_path: Path, store: dict[str, object]) -> None:
    """It says so itself, gives the same successor when asked again, and then has expired."""
    clock = HandClock()
    async with run_gateway(tmp_path, {"session": store}, clock) as running:
        old = await running.login()
        new = str((await renew(running, old))["token"])
        assert (await shown(running, old))["expires_in"] == 60
        clock.forward(60)
        again = str((await renew(running, old))["token"])
        ids = [(await running.get("/session", bearer(each))).body for each in (new, again)]
        assert ids[0] == ids[1]
        for token in (old, new, again):
            assert (await who(running, token)).status == 200
        clock.forward(1)
        assert problem(await who(running, old))["code"] == "session_expired"
        refused = await send(running, "POST /session/renew", b"", bearer(old))
        assert problem(refused)["code"] == "session_expired"
        for token in (new, again):
            assert (await who(running, token)).status == 200


@pytest.mark.parametrize("is_old", [True, False])
async def test_ending_either_ends_both(
    tmp_path: Path, store: dict[str, object], is_old: bool
) -> None:
    """Neither works, nor is renewed."""
    async with run_gateway(tmp_path, {"session": store}) as running:
        old = await running.login()
        new = str((await renew(running, old))["token"])
        for token in (old, new):
            assert (await who(running, token)).status == 200
        ended = old if is_old else new
        assert (await send(running, "POST /logout", b"", bearer(ended))).status == 204
        for token in (old, new):
            assert problem(await who(running, token))["code"] == "session_revoked"
            refused = await send(running, "POST /session/renew", b"", bearer(token))
            assert problem(refused)["code"] == "session_revoked"


async def test_renewals_at_once_in_two_gateways(tmp_path: Path, store: dict[str, object]) -> None:
    """One successor: one of them logged out, all are."""
    changes = {"session": store}
    async with (
        run_gateway(tmp_path, changes) as here,
        run_gateway(tmp_path, changes) as there,
    ):
        old = await here.login()
        calls = (renew(each, old) for _ in range(5) for each in (here, there))
        tokens = [str(answer["token"]) for answer in await asyncio.gather(*calls)]
        for token in tokens:
            assert (await who(there, token)).status == 200
        assert (await send(here, "POST /logout", b"", bearer(tokens[0]))).status == 204
        for token in (*tokens, old):
            assert problem(await who(here, token))["code"] == "session_revoked"


async def test_renewed_too_often(running: RunningGateway) -> None:
    """429 after ten in a minute, with the time to wait; the session goes on."""
    token = await running.login()
    for _ in range(10):
        token = str((await renew(running, token))["token"])
    answer = await send(running, "POST /session/renew", b"", bearer(token))
    assert problem(answer)["code"] == "rate_limited"
    assert 1 <= int(answer.value("Retry-After") or "") <= 60
    assert (await who(running, token)).status == 200


async def test_a_guest_renews_too(running: RunningGateway) -> None:
    """And stays one."""
    guest = await running.codes("shop-douyin")
    fields = {"app": "shop-douyin", "anonymous_code": guest["anonymous_code"]}
    new = await renew(running, token_of(await running.post("/login", fields)))
    assert new["anonymous"] is True
    assert problem(await who(running, str(new["token"])))["code"] == "route_forbidden"


async def test_what_is_no_renewal(running: RunningGateway) -> None:
    """It takes a token and POST; the body is nobody's business, but must be one we read."""
    token = await running.login()
    refused = await send(running, "POST /session/renew")
    assert problem(refused)["code"] == "session_missing"
    assert refused.value("WWW-Authenticate") == "Bearer"
    for method in ("GET", "PUT", "DELETE"):
        answer = await running.get("/session/renew", bearer(token), method=method)
        assert problem(answer)["code"] == "method_not_allowed"
        assert answer.value("Allow") == "POST"
    odd = await send(running, "POST /session/renew", b"x", bearer(token), "Content-Type: text/html")
    assert problem(odd)["code"] == "bad_request"
    assert (await send(running, "POST /session/renew", b"{}", bearer(token), JSON)).status == 200


@pytest.mark.parametrize(("path", "status"), [("/me", 200), ("/", 200), (None, 404)])
async def test_where_it_is(tmp_path: Path, path: str | None, status: int) -> None:
    """Below `endpoints.session`, which also switches it off."""
    async with run_gateway(tmp_path, {"endpoints": {"session": path}}) as running:
        token = await running.login()
        line = f"POST {(path or '/session').rstrip('/')}/renew"
        assert (await send(running, line, b"", bearer(token))).status == status


async def test_a_logout_while_the_store_is_away(tmp_path: Path, redis: RedisServer) -> None:
    """503, and yet the session has ended here; the store is told once it is back."""
    changes = {"session": {"store": redis.url}}
    async with run_gateway(tmp_path, changes) as running:
        token, other = await running.login(), await running.login()
        for each in (token, other):
            assert (await who(running, each)).status == 200
        redis.command("SAVE")
        redis.stop()
        answer = await send(running, "POST /logout", b"", bearer(token))
        assert problem(answer)["code"] == "store_unavailable"
        assert answer.value("Retry-After") == "1"
        assert problem(await who(running, token))["code"] == "session_revoked"
        assert (await who(running, other)).status == 200
        redis.start()
        sessions = running.gateway.listener._entry._parts.access._sessions
        assert isinstance(sessions, SessionService)
        await until(lambda: not sessions.unconfirmed_endings)
    async with run_gateway(tmp_path, changes) as later:
        assert problem(await who(later, token))["code"] == "session_revoked"
        assert (await who(later, other)).status == 200


# -- the rest -------------------------------------------------------------------------------------


async def test_head_is_get_without_a_body(running: RunningGateway) -> None:
    """The length is told (RFC 9110 9.3.2)."""
    token = await running.login()
    get = await running.get("/session", bearer(token))
    head = await running.get("/session", bearer(token), method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.value("Content-Length") == get.value("Content-Length")


async def test_without_a_token_there_is_no_session(running: RunningGateway) -> None:
    """401, and the challenge says how (RFC 9110 11.6.1)."""
    for answer in (await running.get("/session"), await send(running, "POST /logout")):
        assert problem(answer)["code"] == "session_missing"
        assert answer.value("WWW-Authenticate") == "Bearer"


async def test_logout_ends_this_session_only(running: RunningGateway) -> None:
    """204 without a body; the same token is revoked everywhere, others live."""
    first, second = await running.login(), await running.login()
    answer = await send(running, "POST /logout", b"", bearer(first))
    assert (answer.status, answer.body, answer.value("Content-Length")) == (204, b"", None)
    assert problem(await who(running, first))["code"] == "session_revoked"
    assert problem(await running.get("/session", bearer(first)))["code"] == "session_revoked"
    again = await send(running, "POST /logout", b"", bearer(first))
    assert problem(again)["code"] == "session_revoked"
    assert (await who(running, second)).status == 200


async def test_logout_everywhere_ends_all_of_the_subject(running: RunningGateway) -> None:
    """And nobody else's: not another user's, nor the same user's at another app."""
    mine = [await running.login() for _ in range(3)]
    other_user = await running.login(user="bob")
    other_app = await running.login("game-wechat")
    guest = await running.codes("shop-douyin")
    fields = {"app": "shop-douyin", "anonymous_code": guest["anonymous_code"]}
    guest_token = token_of(await running.post("/login", fields))
    answer = await send(running, "POST /logout?everywhere=true", b"", bearer(mine[1]))
    assert answer.status == 204
    for token in mine:
        assert problem(await who(running, token))["code"] == "session_revoked"
    for token in (other_user, other_app):
        assert (await who(running, token)).status == 200
    assert (await who(running, guest_token, "/guest/")).status == 200


@pytest.mark.parametrize("query", ["everywhere=false", "", "other=1"])
async def test_logout_is_not_everywhere_unless_it_says_so(
    running: RunningGateway, query: str
) -> None:
    """A query of something else is somebody else's."""
    first, second = await running.login(), await running.login()
    assert (await send(running, f"POST /logout?{query}", b"", bearer(first))).status == 204
    assert (await who(running, second)).status == 200


@pytest.mark.parametrize(
    "query", ["everywhere=yes", "everywhere", "everywhere=true&everywhere=true", "everywhere=%ff"]
)
async def test_a_logout_that_cannot_be_read_ends_nothing(
    running: RunningGateway, query: str
) -> None:
    """Guessing would end too much or too little."""
    token = await running.login()
    answer = await send(running, f"POST /logout?{query}", b"", bearer(token))
    assert problem(answer)["code"] == "bad_request"
    assert (await who(running, token)).status == 200


async def test_the_oldest_session_too_many_is_pushed_out(tmp_path: Path) -> None:
    """It counts as revoked, so that its client can say why; other users are not counted."""
    async with run_gateway(tmp_path, {"session": {"max_per_subject": 2}}) as running:
        other = await running.login(user="bob")
        tokens = [await running.login() for _ in range(3)]
        assert problem(await who(running, tokens[0]))["code"] == "session_revoked"
        for token in (*tokens[1:], other):
            assert (await who(running, token)).status == 200
