"""Which exchange serves which app."""

from dataclasses import replace

import pytest

from gateway.errors import GatewayError
from gateway.platforms.base import Exchange, LoginCodes, PlatformApp
from gateway.platforms.registry import PLATFORM_NAMES, Platforms
from tests.support.platform_server import PlatformServer, json_answer


async def test_every_named_platform_is_served(platforms: Platforms, server: PlatformServer) -> None:
    """Each of them makes a call of its own."""
    for name in PLATFORM_NAMES:
        server.script.append(json_answer({}))
        with pytest.raises(GatewayError):
            await platforms.exchange(
                PlatformApp("a", name, "id", "s", api_base=server.base), LoginCodes("c")
            )
    assert len({call.path for call in server.received}) == len(PLATFORM_NAMES) == 4


async def test_an_unknown_platform_is_a_settings_error(platforms: Platforms) -> None:
    """No call is made for it."""
    with pytest.raises(GatewayError) as caught:
        await platforms.exchange(PlatformApp("a", "alipay", "id", "s"), LoginCodes("c"))
    assert caught.value.code == "platform_config"


@pytest.mark.parametrize("name", [name for name in PLATFORM_NAMES if name != "douyin"])
async def test_only_douyin_knows_guests(
    platforms: Platforms, server: PlatformServer, name: str
) -> None:
    """An anonymous code alone is nothing elsewhere; beside a code it is not sent."""
    app = PlatformApp("a", name, "id", "s", api_base=server.base)
    with pytest.raises(GatewayError) as caught:
        await platforms.exchange(app, LoginCodes(anonymous_code="gue5t"))
    assert (caught.value.code, server.received) == ("bad_request", [])
    server.script.append(json_answer({}))
    with pytest.raises(GatewayError):
        await platforms.exchange(app, LoginCodes("c", "gue5t"))
    assert "gue5t" not in server.received[0].target + server.received[0].body.decode()


async def test_the_platforms_are_an_exchange(platforms: Platforms, server: PlatformServer) -> None:
    """They can stand wherever one is asked for."""
    exchange: Exchange = platforms
    server.script.append(json_answer({"openid": "o-1"}))
    app = PlatformApp("a", "wechat", "wx1", "s", "n", api_base=server.base)
    assert (await exchange(app, LoginCodes("c"))).openid == "o-1"
    assert platforms.secret_in_use(app) == "secret"
    assert platforms.secret_in_use(replace(app, name="b")) == "secret"
