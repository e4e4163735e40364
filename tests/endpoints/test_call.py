"""A call carries its request through aiohttp-session."""

from tests.support.gateway import RunningGateway, problem
from tests.support.own import bearer, send, who


async def test_a_handler_gets_the_callers_session(running: RunningGateway) -> None:
    """The token's session, the same that a route would see."""
    token = await running.login()
    assert (await running.get("/session", bearer(token))).status == 200
    assert (await who(running, token)).status == 200


async def test_a_login_looks_at_no_token(running: RunningGateway) -> None:
    """A rotten one does not keep anybody from logging in again."""
    answer = await running.post(
        "/login",
        {"app": "shop-wechat", "code": await running.code()},
        bearer("gw1.rotten"),
        "X-Session-Token: gw1.other",
    )
    assert answer.status == 200


async def test_a_session_is_loaded_only_where_it_is_asked_for(running: RunningGateway) -> None:
    """A logout asks: a rotten token is refused there."""
    answer = await send(running, "POST /logout", b"", bearer("gw1.rotten"))
    assert problem(answer)["code"] == "session_invalid"
