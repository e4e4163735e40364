"""The rule of `next_secret`, seen from the platform's side (design section 4)."""

from dataclasses import dataclass, replace

import pytest

from gateway.errors import GatewayError
from gateway.platforms.base import LoginCodes, PlatformApp
from gateway.platforms.registry import Platforms
from tests.support.leaks import leaked
from tests.support.platform_server import PlatformServer, drop, json_answer

OLD, NEW = "old-5ecret", "new-5ecret"


@dataclass(frozen=True)
class Turn:
    """How a platform says that the secret is wrong, and that all is well."""

    app: PlatformApp
    name: str
    wrong: dict[str, object]
    good: dict[str, object]


def make_turn(
    platform: str, name: str, wrong: dict[str, object], good: dict[str, object], **changes: object
) -> Turn:
    app = PlatformApp("shop", platform, "app-1", OLD, NEW)
    return Turn(replace(app, **changes), name, wrong, good)  # type: ignore[arg-type]  # by name


BAIDU_SK: dict[str, object] = {
    "errno": 10010100,
    "error": "parameter is invalid",
    "error_description": "Key: 'Code2SessionKeyParam.Sk' Error:Field validation",
}
TURNS = [
    make_turn("wechat", "secret", {"errcode": 40125}, {"openid": "o-1"}),
    make_turn("wechat", "secret", {"errcode": 40001}, {"openid": "o-1"}),
    make_turn("douyin", "secret", {"err_no": 40017}, {"err_no": 0, "data": {"openid": "o-1"}}),
    make_turn(
        "douyin", "secret", {"error": 40017}, {"error": 0, "openid": "o-1"}, kind="mini-game"
    ),
    make_turn("baidu", "sk", {"error": "invalid_client"}, {"openid": "o-1"}),
    make_turn("baidu", "sk", BAIDU_SK, {"openid": "o-1"}),
    make_turn("kuaishou", "app_secret", {"result": 100200101}, {"result": 1, "open_id": "o-1"}),
]


@pytest.fixture(params=TURNS, ids=lambda turn: f"{turn.app.platform}-{turn.app.kind}")
def turn(request: pytest.FixtureRequest) -> Turn:
    """Each platform's wrong-secret number in turn."""
    assert isinstance(request.param, Turn)
    return request.param


def secrets_sent(server: PlatformServer, name: str) -> list[str]:
    values = [{**call.query, **call.form, **call.document}[name] for call in server.received]
    server.received.clear()
    return values


async def log_in(platforms: Platforms, server: PlatformServer, app: PlatformApp) -> str | None:
    """Return the code of the failure, or None for a login."""
    error: GatewayError | None = None
    try:
        await platforms.exchange(replace(app, api_base=server.base), LoginCodes("c"))
    except GatewayError as caught:
        error = caught
    assert error is None or leaked(error, OLD, NEW) == []
    return error.code if error else None


async def test_a_wrong_secret_is_followed_by_the_next_one(
    platforms: Platforms, server: PlatformServer, turn: Turn
) -> None:
    """And the one that worked goes first from then on."""
    server.script.extend([json_answer(turn.wrong), json_answer(turn.good), json_answer(turn.good)])
    assert await log_in(platforms, server, turn.app) is None
    assert secrets_sent(server, turn.name) == [OLD, NEW]
    assert await log_in(platforms, server, turn.app) is None
    assert secrets_sent(server, turn.name) == [NEW]


async def test_the_way_back_is_open(
    platforms: Platforms, server: PlatformServer, turn: Turn
) -> None:
    """When the remembered one is refused, the other one is tried, and remembered."""
    wrong, good = json_answer(turn.wrong), json_answer(turn.good)
    server.script.extend([wrong, good, wrong, good, good])
    for _ in range(3):
        assert await log_in(platforms, server, turn.app) is None
    assert secrets_sent(server, turn.name) == [OLD, NEW, NEW, OLD, OLD]


async def test_without_a_next_secret_there_is_one_exchange(
    platforms: Platforms, server: PlatformServer, turn: Turn
) -> None:
    """Nor with a next one that is the same or empty."""
    for other in (None, "", OLD):
        server.script.append(json_answer(turn.wrong))
        app = replace(turn.app, next_secret=other)
        assert await log_in(platforms, server, app) == "platform_config"
        assert secrets_sent(server, turn.name) == [OLD]


async def test_two_wrong_secrets_are_two_exchanges_and_a_settings_error(
    platforms: Platforms, server: PlatformServer, turn: Turn
) -> None:
    """Never a third one; the order stays."""
    server.script.extend([json_answer(turn.wrong)] * 4)
    for _ in range(2):
        assert await log_in(platforms, server, turn.app) == "platform_config"
        assert secrets_sent(server, turn.name) == [OLD, NEW]


async def test_nothing_else_brings_a_second_exchange(
    platforms: Platforms, server: PlatformServer, turn: Turn
) -> None:
    """Not a lost connection, not garbage, not another settings error."""
    for step in (drop, json_answer({}), json_answer({"errcode": 40013, "err_no": 40015})):
        server.script.append(step)
        assert await log_in(platforms, server, turn.app) is not None
        assert secrets_sent(server, turn.name) == [OLD]


async def test_a_lost_second_exchange_is_not_remembered(
    platforms: Platforms, server: PlatformServer, turn: Turn
) -> None:
    """It says nothing about the secret."""
    server.script.extend([json_answer(turn.wrong), drop, json_answer(turn.good)])
    assert await log_in(platforms, server, turn.app) == "platform_error"
    assert await log_in(platforms, server, turn.app) is None
    assert secrets_sent(server, turn.name) == [OLD, NEW, OLD]


async def test_a_refused_code_shows_the_secret_to_be_right(
    platforms: Platforms, server: PlatformServer
) -> None:
    """The platform looked at the code, so it had accepted the secret."""
    app = TURNS[0].app
    server.script.extend(
        [
            json_answer({"errcode": 40125}),
            json_answer({"errcode": 40029}),
            json_answer({"openid": "o"}),
        ]
    )
    assert await log_in(platforms, server, app) == "code_invalid"
    at_server = replace(app, api_base=server.base)
    assert platforms.secret_in_use(at_server) == "next_secret"
    assert await log_in(platforms, server, app) is None
    assert secrets_sent(server, "secret") == [OLD, NEW, NEW]


async def test_apps_and_changed_settings_are_apart(
    platforms: Platforms, server: PlatformServer
) -> None:
    """What is remembered for one app says nothing of another, nor of the same one changed."""
    app = TURNS[0].app
    good = json_answer({"openid": "o-1"})
    server.script.extend([json_answer({"errcode": 40125}), good, good, good])
    await log_in(platforms, server, app)
    await log_in(platforms, server, replace(app, name="other"))
    await log_in(platforms, server, replace(app, secret=NEW, next_secret="newest-5ecret"))
    assert secrets_sent(server, "secret") == [OLD, NEW, OLD, NEW]
