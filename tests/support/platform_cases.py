"""Each exchange and its error table, from platforms.md: what the contract suite runs over."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gateway.errors import GatewayError
from gateway.platforms.base import LoginCodes, PlatformApp
from gateway.platforms.registry import Platforms
from tests.support.leaks import leaked
from tests.support.platform_server import PlatformServer, Step, json_answer

SECRET = "5ecret0f0ur5"
CODE = "k0de@host+&%2B=?#/'\"微信 x"
OPENID = "oGZUI0egBJY1zhBYw2KhdUfwVJJE"
TOKEN_PATH = "/oauth/2.0/token"


@dataclass(frozen=True)
class Case:
    """One exchange: how it is called, where it puts things, and its error table by class.

    `place` names the members of `request` (query, form, json); `wrap` puts ids into an answer.
    """

    name: str
    app: PlatformApp
    method: str
    path: str
    place: str
    sent: dict[str, str]
    success: dict[str, object]
    wrap: Callable[[dict[str, object]], dict[str, object]]
    refuse: Callable[[object], dict[str, object]]
    openid: str
    unionid: str
    classes: dict[str, list[int | str]] = field(default_factory=dict)

    def answer_with(self, **ids: object) -> bytes:
        return json_answer(self.wrap(ids))


WECHAT_CLASSES: dict[str, list[int | str]] = {
    "BUSY": [-1],
    "CODE": [40029, 40163],
    "BAD": [41008],
    "BLOCKED": [40226, 50002],
    "RATE": [45011],
    "DAY": [45009],
    "CONFIG": [40013, 41002, 41004, 40164, 48001, 48004, 61003],
    "SECRET": [40125, 40001],
    "TOKEN": [40014, 41001, 42001],
    "UNKNOWN": [87009, 1, 99999],
}
DOUYIN_CLASSES: dict[str, list[int | str]] = {
    "BUSY": [-1, 28001005, 28001006],
    "CODE": [40018, 40019, 28005187],
    "BAD": [40014, 28001004, 28001007, 28001038],
    "BLOCKED": [28001045, 28001046, 28001047],
    "RATE": [28001052, 28003018, 28005139],
    "DAY": [28003017],
    "CONFIG": [40015, 40020, 28001014, 28001016, 28001018, 28001019],
    "SECRET": [40017],
    "TOKEN": [28001003, 28001008],
    "UNKNOWN": [1, 40029],
}
KUAISHOU_CLASSES: dict[str, list[int | str]] = {
    "BUSY": [100200500],
    "CODE": [100200105, 100200106, 100200109, 100200110, 100200111, 240001],
    "BAD": [100200107, 100],
    "CONFIG": [100200100, 100200103, 100200104],
    "SECRET": [100200101, 240002],
    "TOKEN": [100200102, 100200108, 100200113],
    "UNKNOWN": [0, -1, 2, 100200999],
}
BAIDU_WORDS: dict[str, list[int | str]] = {
    "CODE": ["invalid_grant"],
    "BAD": ["invalid_request"],
    "CONFIG": ["unauthorized_client", "unsupported_grant_type", "invalid_scope"],
    "SECRET": ["invalid_client"],
    "TOKEN": ["expired_token"],
    "UNKNOWN": ["slow_down"],
}
BAIDU_CODES: dict[str, list[int | str]] = {
    "BUSY": [1, 2],
    "BAD": [100],
    "RATE": [4, 18],
    "DAY": [17, 19],
    "CONFIG": [5, 6, 101],
    "TOKEN": [110, 111],
    "UNKNOWN": [3, 999],
}
OUTCOMES: dict[str, tuple[str, int | None]] = {
    "BUSY": ("platform_busy", 5),
    "CODE": ("code_invalid", None),
    "BAD": ("bad_request", None),
    "BLOCKED": ("user_blocked", None),
    "RATE": ("rate_limited", 60),
    "DAY": ("rate_limited", 3600),
    "CONFIG": ("platform_config", None),
    "SECRET": ("platform_config", None),
    "TOKEN": ("platform_config", None),
    "UNKNOWN": ("platform_error", None),
}


def make_app(platform: str, **changes: Any) -> PlatformApp:
    app = PlatformApp(f"shop-{platform}", platform, f"{platform}-app-1", SECRET, timeout_s=5.0)
    return replace(app, **changes)


WECHAT = Case(
    name="wechat",
    app=make_app("wechat"),
    method="GET",
    path="/sns/jscode2session",
    place="query",
    sent={
        "appid": "wechat-app-1",
        "secret": SECRET,
        "js_code": CODE,
        "grant_type": "authorization_code",
    },
    success={},
    wrap=lambda ids: {**ids},
    refuse=lambda number: {"errcode": number, "errmsg": "invalid, rid: 6129ee10-1a2b3c4d-5e6f7a8b"},
    openid="openid",
    unionid="unionid",
    classes=WECHAT_CLASSES,
)
DOUYIN = Case(
    name="douyin",
    app=make_app("douyin"),
    method="POST",
    path="/api/apps/v2/jscode2session",
    place="json",
    sent={"appid": "douyin-app-1", "secret": SECRET, "code": CODE},
    success={"err_no": 0},
    wrap=lambda ids: {"err_no": 0, "data": ids},
    refuse=lambda number: {"err_no": number, "err_tips": "no", "data": None},
    openid="openid",
    unionid="unionid",
    classes=DOUYIN_CLASSES,
)
DOUYIN_GAME = replace(
    DOUYIN,
    name="douyin-game",
    app=make_app("douyin", kind="mini-game"),
    method="GET",
    path="/mgplatform/api/apps/jscode2session",
    place="query",
    success={"error": 0},
    wrap=lambda ids: {"error": 0, **ids},
    refuse=lambda number: {"error": 1, "errcode": number, "errmsg": "no", "message": "no"},
)
KUAISHOU = Case(
    name="kuaishou",
    app=make_app("kuaishou"),
    method="POST",
    path="/oauth2/mp/code2session",
    place="form",
    sent={"app_id": "kuaishou-app-1", "app_secret": SECRET, "js_code": CODE},
    success={"result": 1},
    wrap=lambda ids: {"result": 1, **ids},
    refuse=lambda number: {"result": number, "error_msg": "no"},
    openid="open_id",
    unionid="union_id",
    classes=KUAISHOU_CLASSES,
)
KUAISHOU_GAME = replace(
    KUAISHOU,
    name="kuaishou-game",
    app=make_app("kuaishou", kind="mini-game"),
    method="GET",
    path="/game/minigame/jscode2session",
    place="query",
    sent={**KUAISHOU.sent, "grant_type": "authorization_code"},
)
BAIDU_OLD = Case(
    name="baidu-old",
    app=make_app("baidu"),
    method="POST",
    path="/oauth/jscode2sessionkey",
    place="form",
    sent={"code": CODE, "client_id": "baidu-app-1", "sk": SECRET},
    success={},
    wrap=lambda ids: {**ids},
    refuse=lambda word: {"error": word, "error_description": "no"},
    openid="openid",
    unionid="unionid",
    classes=BAIDU_WORDS,
)
BAIDU_V2 = Case(
    name="baidu-v2",
    app=make_app("baidu", api="v2"),
    method="POST",
    path="/rest/2.0/smartapp/getsessionkey",
    place="query",
    sent={"access_token": "t0ken", "code": CODE},
    success={"errno": 0},
    wrap=lambda ids: {"errno": 0, "errmsg": "succ", "data": ids},
    refuse=lambda number: {"error_code": number, "error_msg": "no"},
    openid="open_id",
    unionid="unionid",
    classes=BAIDU_CODES,
)
WECHAT_GAME = replace(WECHAT, name="wechat-game", app=make_app("wechat", kind="mini-game"))
CASES = [
    WECHAT,
    WECHAT_GAME,
    DOUYIN,
    DOUYIN_GAME,
    BAIDU_OLD,
    BAIDU_V2,
    KUAISHOU,
    KUAISHOU_GAME,
]
EVERY_ROW = [
    pytest.param(case, verdict, number, id=f"{case.name}-{verdict}-{number}")
    for case in CASES
    for verdict, numbers in case.classes.items()
    for number in numbers
]


async def refused(
    platforms: Platforms, server: PlatformServer, case: Case, *script: Step, **changes: Any
) -> GatewayError:
    """Log in against the script, which must fail without saying a secret, in one exchange."""
    server.script.extend(script)
    app = replace(case.app, api_base=server.base, **changes)
    with pytest.raises(GatewayError) as caught:
        await platforms.exchange(app, LoginCodes(CODE))
    assert leaked(caught.value, SECRET, CODE, "t0ken", "k0de", "?") == []
    assert len(server.calls(case.path)) == len(script)
    return caught.value
