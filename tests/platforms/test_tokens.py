"""App access tokens: asked for once, kept until shortly before they expire."""

import asyncio
from contextlib import suppress

import pytest

from gateway.errors import GatewayError
from gateway.platforms.api import ApiCaller, Call, Reply
from gateway.platforms.base import PlatformApp
from gateway.platforms.rotation import SecretRotation
from gateway.platforms.tokens import AppToken, AppTokens
from gateway.platforms.verdicts import Row, Verdict, refusal
from tests.support.platform_server import PlatformServer, json_answer
from tests.support.sessions import HandClock


def build(app: PlatformApp, secret: str) -> Call:
    return Call("POST", "https://p.invalid", "/token", form={"id": app.app_id, "secret": secret})


def read(reply: Reply) -> AppToken:
    if "refused" in reply.body:
        raise refusal("baidu", 1, Row(Verdict.SECRET, "wrong"))
    return AppToken(str(reply.body["token"]), int(str(reply.body["life_s"])))


@pytest.fixture
def tokens(clock: HandClock) -> AppTokens:
    """An empty keeper of tokens."""
    return AppTokens(SecretRotation(), clock, build, read)


def app_at(server: PlatformServer, **changes: str) -> PlatformApp:
    settings = {"name": "shop", "platform": "baidu", "app_id": "key-1", "secret": "s", **changes}
    return PlatformApp(**settings, api_base=server.base)  # type: ignore[arg-type]  # all texts


def token_answer(token: str, life_s: int = 7200) -> bytes:
    return json_answer({"token": token, "life_s": life_s})


async def test_a_token_is_kept_until_five_minutes_before_its_end(
    caller: ApiCaller, server: PlatformServer, clock: HandClock, tokens: AppTokens
) -> None:
    """So that no login meets one that expires on the way."""
    server.script.extend([token_answer("t1"), token_answer("t2")])
    line = caller.line(app_at(server))
    seen = [await tokens.get(line)]
    clock.forward(7200 - 301)
    seen.append(await tokens.get(line))
    clock.forward(2)
    seen.append(await tokens.get(line))
    assert [token.value for token in seen] == ["t1", "t1", "t2"]


@pytest.mark.parametrize(
    ("life_s", "calls"),
    [
        pytest.param(100, 1, id="a short life is kept for half of it"),
        pytest.param(59, 2, id="a very short one is not kept"),
        pytest.param(0, 2, id="none"),
        pytest.param(-5, 2, id="a negative one"),
    ],
)
async def test_short_lives(
    caller: ApiCaller, server: PlatformServer, tokens: AppTokens, life_s: int, calls: int
) -> None:
    """WeChat says that expires_in can be less than usual."""
    server.script.extend([token_answer("t", life_s)] * 2)
    line = caller.line(app_at(server))
    for _ in range(2):
        assert (await tokens.get(line)).value == "t"
    assert len(server.received) == calls


async def test_many_logins_ask_for_one_token(
    caller: ApiCaller, server: PlatformServer, tokens: AppTokens
) -> None:
    """First with none, then with one that was refused."""
    server.script.extend([token_answer("t1"), token_answer("t2")])
    line = caller.line(app_at(server))
    first = await asyncio.gather(*(tokens.get(line) for _ in range(50)))
    second = await asyncio.gather(*(tokens.get(line, instead_of=first[0]) for _ in range(50)))
    late = await tokens.get(line, instead_of=first[0])
    assert {token.value for token in first} == {"t1"}
    assert {token.value for token in [*second, late]} == {"t2"}
    assert len(server.received) == 2


async def test_a_failure_is_shared_and_not_kept(
    caller: ApiCaller, server: PlatformServer, tokens: AppTokens
) -> None:
    """Those who waited do not try in turn; the next login does."""
    server.script.extend([json_answer({"refused": 1}), token_answer("t1")])
    line = caller.line(app_at(server))
    failures = await asyncio.gather(*(tokens.get(line) for _ in range(20)), return_exceptions=True)
    assert all(isinstance(failure, GatewayError) for failure in failures)
    assert len(server.received) == 1
    assert (await tokens.get(line)).value == "t1"


async def test_a_cancelled_login_does_not_take_the_others_along(
    caller: ApiCaller, server: PlatformServer, tokens: AppTokens
) -> None:
    """One of those who waited asks instead, and one who waits can be cancelled alone."""
    arrived = asyncio.Event()

    async def hold(writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await writer.wait_closed()

    server.script.extend([hold, token_answer("t1")])
    line = caller.line(app_at(server))
    leader = asyncio.create_task(tokens.get(line))
    await arrived.wait()
    waiting = [asyncio.create_task(tokens.get(line)) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    leader.cancel()
    seen = await asyncio.gather(*waiting[1:])
    for cancelled in (leader, waiting[0]):
        with suppress(asyncio.CancelledError):
            await cancelled
        assert cancelled.cancelled()
    assert {token.value for token in seen} == {"t1"}
    assert len(server.received) == 2


async def test_apps_have_their_own_tokens(
    caller: ApiCaller, server: PlatformServer, tokens: AppTokens
) -> None:
    """So has the same app once its settings change."""
    apps = [
        app_at(server),
        app_at(server, name="other"),
        app_at(server, app_id="key-2"),
    ]
    server.script.extend(token_answer(f"t{number}") for number in range(3))
    seen = [(await tokens.get(caller.line(app))).value for app in apps]
    assert seen == ["t0", "t1", "t2"]


async def test_the_next_secret_serves_here_too(
    caller: ApiCaller, server: PlatformServer, tokens: AppTokens
) -> None:
    """The rule is the rotation's, not ours."""
    server.script.extend([json_answer({"refused": 1}), token_answer("t1")])
    token = await tokens.get(caller.line(app_at(server, next_secret="n")))
    assert [call.form["secret"] for call in server.received] == ["s", "n"]
    assert "t1" not in repr(token)
