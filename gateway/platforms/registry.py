"""Which exchange serves which app: by platform, kind and api. The platforms we know are named here.

It must not know requests, sessions or settings files.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.platforms.api import ApiCaller
from gateway.platforms.baidu import BaiduOldExchange, BaiduV2Exchange
from gateway.platforms.base import Exchange, LoginCodes, PlatformApp, PlatformIdentity
from gateway.platforms.douyin import DouyinExchange
from gateway.platforms.kuaishou import KuaishouExchange
from gateway.platforms.rotation import SecretRotation, Slot
from gateway.platforms.wechat import WechatExchange

PLATFORM_NAMES = ("wechat", "douyin", "baidu", "kuaishou")


class Platforms:
    """All platforms behind one call; itself an `Exchange`."""

    def __init__(
        self,
        choosers: Mapping[str, Callable[[PlatformApp], Exchange]],
        rotation: SecretRotation,
    ) -> None:
        self._choosers = choosers
        self._rotation = rotation

    async def __call__(self, app: PlatformApp, codes: LoginCodes) -> PlatformIdentity:
        """Raises: GatewayError."""
        return await self.exchange(app, codes)

    async def exchange(self, app: PlatformApp, codes: LoginCodes) -> PlatformIdentity:
        """Exchange the codes at the app's platform, within the app's `timeout_s`.

        Raises: GatewayError (bad_request, code_invalid, user_blocked, rate_limited, platform_*).
        """
        choose = self._choosers.get(app.platform)
        if choose is None:
            raise GatewayError("platform_config", "this app's platform is not one we know")
        return await choose(app)(app, codes)

    def secret_in_use(self, app: PlatformApp) -> Slot:
        """Say which of the app's secrets worked last: after `next_secret` the old one may go."""
        return self._rotation.in_use(app)


def build_exchanges(caller: ApiCaller, clock: Clock) -> Platforms:
    """Build the exchanges of one process over its caller."""
    rotation = SecretRotation()
    wechat = WechatExchange(caller, rotation)
    douyin = DouyinExchange(caller, rotation)
    kuaishou = KuaishouExchange(caller, rotation)
    baidu_old = BaiduOldExchange(caller, rotation)
    baidu_v2 = BaiduV2Exchange(caller, rotation, clock)
    choosers: dict[str, Callable[[PlatformApp], Exchange]] = {
        "wechat": lambda _app: wechat,
        "douyin": lambda _app: douyin,
        "baidu": lambda app: baidu_v2 if app.api == "v2" else baidu_old,
        "kuaishou": lambda _app: kuaishou,
    }
    return Platforms(MappingProxyType(choosers), rotation)
