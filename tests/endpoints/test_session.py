"""`GET /session` and `POST /logout`: what a client may know and do about its own session."""

import json
from pathlib import Path

import pytest

from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.own import bearer, send, token_of, who
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
