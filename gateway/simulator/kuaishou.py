"""Kuaishou's server API as platforms.md section 4 tells it.

Its habits: `result` is 1 on success; open_id has an underscore; a new app token retires none.
"""

from collections.abc import Mapping
from types import MappingProxyType

from gateway.simulator.calls import Answer, Asked, Call, Number
from gateway.simulator.codes import Refusal
from gateway.simulator.world import AppKind, LoggedIn, World

PLATFORM = "kuaishou"
TOKEN_LIFE_S = 172_800
INVALID_REQUEST = 100200100
UNAUTHORIZED_CLIENT = 100200101
UNSUPPORTED_GRANT_TYPE = 100200104
INVALID_GRANT = 100200105
FAULT_NUMBERS = MappingProxyType({"busy": 100200500, "secret": UNAUTHORIZED_CLIENT})
"""No number for a limit or for a refused user is known (platforms.md 4.1)."""

WORDS = MappingProxyType(
    {
        INVALID_REQUEST: "invalid_request",
        UNAUTHORIZED_CLIENT: "unauthorized_client",
        100200102: "access_denied",
        UNSUPPORTED_GRANT_TYPE: "unsupported_grant_type",
        INVALID_GRANT: "invalid_grant",
        100200106: "invalid_scope",
        100200500: "server_error",
    }
)


class Kuaishou:
    """The calls of open.kuaishou.com that a gateway makes."""

    def __init__(self, world: World) -> None:
        self._world = world

    def calls(self) -> tuple[Call, ...]:
        """List the paths served."""
        both, get = ("GET", "POST"), ("GET",)
        login, game = "/oauth2/mp/code2session", "/game/minigame/jscode2session"
        token = "/oauth2/access_token"  # noqa: S105 - a path
        return (
            # Public clients send the fields in the query too, by both methods (platforms.md 4.1).
            Call(PLATFORM, "login", both, login, self.code2session, refuse),
            Call(PLATFORM, "login", get, game, self.code2session_game, refuse_game),
            Call(PLATFORM, "token", ("POST",), token, self.token, refuse),
        )

    def code2session(self, asked: Asked) -> Answer:
        """Exchange a code for a mini-program."""
        login = self._login(asked.either, "mini-program")
        if isinstance(login, int):
            return refuse(login)
        keys = {"session_key": login.session_key, "open_id": login.openid}
        return Answer({"result": 1, **keys})

    def code2session_game(self, asked: Asked) -> Answer:
        """Exchange a code for a mini-game."""
        if asked.query.get("grant_type") != "authorization_code":
            return refuse_game(UNSUPPORTED_GRANT_TYPE)
        login = self._login(asked.query, "mini-game")
        if isinstance(login, int):
            return refuse_game(login)
        payload = {"result": 1, "open_id": login.openid, "session_key": login.session_key}
        return Answer({**payload, "union_id": login.unionid} if login.unionid else payload)

    def token(self, asked: Asked) -> Answer:
        """Make an access token; those before live out their 48 hours (platforms.md 4.2)."""
        fields = asked.either
        app_id, secret = fields.get("app_id", ""), fields.get("app_secret", "")
        if fields.get("grant_type") != "client_credentials":
            return refuse(UNSUPPORTED_GRANT_TYPE)
        if number := self._check_app(app_id, secret, None):
            return refuse(number)
        token = self._world.tokens.grant(
            PLATFORM, app_id, "app", life_s=TOKEN_LIFE_S, overlap_s=None
        )
        life = {"expires_in": TOKEN_LIFE_S, "token_type": "bearer"}
        return Answer({"result": 1, "access_token": token, **life})

    def _login(self, fields: Mapping[str, str], kind: AppKind) -> LoggedIn | int:
        app_id, code = fields.get("app_id", ""), fields.get("js_code", "")
        if not code:
            return INVALID_REQUEST
        if number := self._check_app(app_id, fields.get("app_secret", ""), kind):
            return number
        login = self._world.login(PLATFORM, app_id, code)
        return INVALID_GRANT if isinstance(login, Refusal) else login

    def _check_app(self, app_id: str, secret: str, kind: AppKind | None) -> int:
        if not app_id or not secret:
            return INVALID_REQUEST
        apps = self._world.apps
        if apps.has(PLATFORM, app_id, kind) and apps.is_secret(PLATFORM, app_id, secret):
            return 0
        return UNAUTHORIZED_CLIENT


def refuse(number: Number) -> Answer:
    """Say a number as the OAuth calls do."""
    return Answer({"result": number, "error": _word(number), "error_msg": _word(number)})


def refuse_game(number: Number) -> Answer:
    """Say a number as the mini-game's call does, which has no `error`."""
    return Answer({"result": number, "error_msg": _word(number)})


def _word(number: Number) -> str:
    return WORDS.get(number, "error") if isinstance(number, int) else "error"
