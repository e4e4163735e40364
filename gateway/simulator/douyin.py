"""Douyin's login and token calls as platforms.md sections 2.1 and 2.2 tell them.

Three doors with three shapes: mini-program (v2), mini-game, and the legacy v1. Its habits: guests
with an anonymous code only get no openid and no session_key; all errors come with HTTP 200.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from gateway.simulator.calls import Answer, Asked, Call, Number
from gateway.simulator.codes import Refusal
from gateway.simulator.shapes import anonymous_openid
from gateway.simulator.world import AppKind, LoggedIn, World

PLATFORM = "douyin"
TOKEN_LIFE_S = 7200
TOKEN_OVERLAP_S = 300
FAULT_NUMBERS = MappingProxyType(
    {"busy": -1, "rate": 28003018, "blocked": 28001046, "secret": 40017}
)

TEXTS = MappingProxyType(
    {
        -1: "system error",
        40014: "bad request parameter",
        40015: "bad appid",
        40017: "bad secret",
        40018: "bad code",
        40019: "bad anonymous code",
        40020: "bad grant_type",
        28001046: "user is banned",
        28003018: "too frequent",
    }
)


@dataclass(frozen=True, slots=True)
class Login:
    """What the codes gave: a user, a device, or both."""

    user: LoggedIn | None
    anonymous_openid: str

    def payload(self) -> dict[str, object]:
        """Name the ids as all three doors do; what was not asked for is an empty text."""
        return {
            "session_key": self.user.session_key if self.user else "",
            "openid": self.user.openid if self.user else "",
            "anonymous_openid": self.anonymous_openid,
        }


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a login call carries, whichever way."""

    app_id: str
    secret: str = field(repr=False)
    code: str = field(repr=False)
    anonymous_code: str = field(repr=False)


class Douyin:
    """The calls of developer.toutiao.com and minigame.zijieapi.com that a gateway makes."""

    def __init__(self, world: World) -> None:
        self._world = world

    def calls(self) -> tuple[Call, ...]:
        """List the paths served."""
        v1, v2 = "/api/apps/jscode2session", "/api/apps/v2/jscode2session"
        game = "/mgplatform/api/apps/jscode2session"
        return (
            Call(PLATFORM, "login", ("POST",), v2, self.code2session, refuse),
            Call(PLATFORM, "login", ("GET",), game, self.code2session_game, refuse_game),
            Call(PLATFORM, "login", ("GET",), v1, self.code2session_v1, refuse_v1),
            self._token_call("/api/apps/v2/token", "mini-program"),
            self._token_call("/mgplatform/api/apps/v2/token", "mini-game"),
        )

    def code2session(self, asked: Asked) -> Answer:
        """Exchange codes sent as JSON, for mini-programs."""
        fields = {name: asked.text(name) for name in ("appid", "secret", "code", "anonymous_code")}
        login = self._login(_credentials(fields), "mini-program")
        if isinstance(login, int):
            return refuse(login)
        return _told({**login.payload(), "unionid": _unionid(login)})

    def code2session_game(self, asked: Asked) -> Answer:
        """Exchange codes sent in the query, for mini-games."""
        login = self._login(_credentials(asked.query), "mini-game")
        if isinstance(login, int):
            return refuse_game(login)
        return Answer({"error": 0, **login.payload(), "unionid": _unionid(login)})

    def code2session_v1(self, asked: Asked) -> Answer:
        """Exchange codes the old way, for both kinds; it knows no unionid."""
        login = self._login(_credentials(asked.query), None)
        if isinstance(login, int):
            return refuse_v1(login)
        return Answer({"error": 0, **login.payload()})

    def _token_call(self, path: str, kind: AppKind) -> Call:
        return Call(PLATFORM, "token", ("POST",), path, self._token(kind), refuse)

    def _token(self, kind: AppKind) -> Callable[[Asked], Answer]:
        def answer(asked: Asked) -> Answer:
            app_id = asked.text("appid")
            number = self._check_app(app_id, asked.text("secret"), kind)
            if number or asked.text("grant_type") != "client_credential":
                return refuse(number or 40020)
            token = self._world.tokens.grant(
                PLATFORM, app_id, "app", life_s=TOKEN_LIFE_S, overlap_s=TOKEN_OVERLAP_S
            )
            return _told({"access_token": token, "expires_in": TOKEN_LIFE_S})

        return answer

    def _login(self, given: Credentials, kind: AppKind | None) -> Login | int:
        number = self._check_app(given.app_id, given.secret, kind)
        if number:
            return number
        if not given.code and not given.anonymous_code:
            return 40014
        user = self._world.login(PLATFORM, given.app_id, given.code) if given.code else None
        if isinstance(user, Refusal):
            return 40018
        device = self._device(given.app_id, given.anonymous_code)
        return 40019 if device is None else Login(user, device)

    def _device(self, app_id: str, anonymous_code: str) -> str | None:
        if not anonymous_code:
            return ""
        minted = self._world.codes.redeem(anonymous_code, PLATFORM, app_id, "anonymous")
        return None if isinstance(minted, Refusal) else anonymous_openid(app_id, minted.user)

    def _check_app(self, app_id: str, secret: str, kind: AppKind | None) -> int:
        if not app_id or not secret:
            return 40014
        if not self._world.apps.has(PLATFORM, app_id, kind):
            return 40015
        return 0 if self._world.apps.is_secret(PLATFORM, app_id, secret) else 40017


def refuse(number: Number) -> Answer:
    """Say a number in v2's shape.

    Whether `data` is then absent, null or full of empty texts is not verified (platforms.md 2.1):
    each turns up here, so that a reader must bear all three.
    """
    payload: dict[str, object] = {"err_no": number, "err_tips": _text(number), "log_id": _log_id()}
    if number == 40018:
        names = ("session_key", "openid", "anonymous_openid", "unionid")
        payload["data"] = dict.fromkeys(names, "")
    elif number in (40015, 40017):
        payload["data"] = None
    return Answer(payload)


def refuse_game(number: Number) -> Answer:
    """Say a number in the mini-game's shape: the detail stands in errcode."""
    text = _text(number)
    return Answer({"error": 1, "errcode": number, "errmsg": text, "message": text})


def refuse_v1(number: Number) -> Answer:
    """Say a number in the legacy shape."""
    return Answer({"errcode": number, "errmsg": _text(number)})


def _told(data: Mapping[str, object]) -> Answer:
    return Answer({"err_no": 0, "err_tips": "success", "log_id": _log_id(), "data": data})


def _unionid(login: Login) -> str:
    return (login.user.unionid or "") if login.user else ""


def _credentials(fields: Mapping[str, str]) -> Credentials:
    names = ("appid", "secret", "code", "anonymous_code")
    return Credentials(*(fields.get(name, "") for name in names))


def _text(number: Number) -> str:
    return TEXTS.get(number, "error") if isinstance(number, int) else "error"


def _log_id() -> str:
    return secrets.token_hex(16)
