"""Baidu's server API as platforms.md section 3 tells it.

Its habits: the App Key is the app's id here; the old login needs no access token, the new one does;
three shapes of error, of which the OAuth one comes with HTTP 400. A refused code answers with
OAuth's invalid_grant on both logins: the only answer to a refused code that any page shows.
"""

import secrets
from collections.abc import Mapping
from types import MappingProxyType

from gateway.simulator.calls import Answer, Asked, Call, Number
from gateway.simulator.codes import Refusal
from gateway.simulator.shapes import unionid
from gateway.simulator.tokens import Granted
from gateway.simulator.world import World

PLATFORM = "baidu"
TOKEN_LIFE_S = 2_592_000
SCOPE = "smartapp_snsapi_base"
PARAMETER_INVALID = 10010100
GATEWAY_NUMBERS_END = 1000
"""Below it, a number is the OpenAPI gateway's `error_code`; above, the service's `errno`."""

FAULT_NUMBERS: Mapping[str, Number] = MappingProxyType(
    {"busy": 2, "rate": 4, "secret": "invalid_client"}
)
"""No number that refuses a user is known (platforms.md 3.1)."""

TEXTS: Mapping[Number, str] = MappingProxyType(
    {
        1: "Unknown error",
        2: "Service temporarily unavailable",
        4: "Open api request limit reached",
        6: "No permission to access data",
        100: "Invalid parameter",
        101: "Invalid API key",
        110: "Access token invalid or no longer valid",
        111: "Access token expired",
        "invalid_client": "unknown client id",
        "invalid_grant": "Invalid authorization code",
        "invalid_request": "a required parameter is missing",
        "invalid_scope": "The requested scope is invalid",
        "unsupported_grant_type": "The authorization grant type is not supported",
    }
)


class Baidu:
    """The calls of spapi.baidu.com and openapi.baidu.com that a gateway makes."""

    def __init__(self, world: World) -> None:
        self._world = world

    def calls(self) -> tuple[Call, ...]:
        """List the paths served."""
        both, post = ("GET", "POST"), ("POST",)
        old, older = "/oauth/jscode2sessionkey", "/nalogin/getSessionKeyByCode"
        v2, union = "/rest/2.0/smartapp/getsessionkey", "/rest/2.0/smartapp/getunionid"
        return (
            Call(PLATFORM, "login", both, old, self.code2session, refuse),
            Call(PLATFORM, "login", both, older, self.code2session, refuse),
            Call(PLATFORM, "login", both, v2, self.code2session_v2, refuse),
            Call(PLATFORM, "token", both, "/oauth/2.0/token", self.token, refuse),
            Call(PLATFORM, "unionid", post, union, self.unionid, refuse),
        )

    def code2session(self, asked: Asked) -> Answer:
        """Exchange a code the old way: App Key and secret, no access token (platforms.md 3.1)."""
        fields = asked.either
        for name, field in (("client_id", "ClientID"), ("sk", "Sk"), ("code", "Code")):
            if not fields.get(name):
                return _refuse_field(field)
        app_key = fields["client_id"]
        if not self._is_app(app_key, fields["sk"]):
            return refuse("invalid_client")
        login = self._world.login(PLATFORM, app_key, fields["code"])
        if isinstance(login, Refusal):
            return refuse("invalid_grant")
        return Answer({"openid": login.openid, "session_key": login.session_key})

    def code2session_v2(self, asked: Asked) -> Answer:
        """Exchange a code the new way: the access token says which app (platforms.md 3.1)."""
        granted = self._granted(asked)
        if isinstance(granted, int):
            return refuse(granted)
        code = asked.query.get("code")
        if not code:
            return refuse(100)
        login = self._world.login(PLATFORM, granted.app_id, code)
        if isinstance(login, Refusal):
            return refuse("invalid_grant")
        return self._told({"session_key": login.session_key, "open_id": login.openid})

    def token(self, asked: Asked) -> Answer:
        """Make an access token; only its scope opens the mini-program calls (platforms.md 3.2)."""
        fields = asked.either
        app_key, scope = fields.get("client_id", ""), fields.get("scope", "")
        if fields.get("grant_type") != "client_credentials":
            return refuse("unsupported_grant_type")
        if not app_key or not self._is_app(app_key, fields.get("client_secret", "")):
            return refuse("invalid_client")
        token = self._world.tokens.grant(
            PLATFORM, app_key, scope, life_s=TOKEN_LIFE_S, overlap_s=None, shape="24.{}.2592000"
        )
        # Its session_key is dead and no user's (platforms.md 3.2): a trap, so it is here.
        names = ("session_key", "session_secret", "refresh_token")
        dead = {name: secrets.token_hex(16) for name in names}
        life = {"expires_in": TOKEN_LIFE_S, "scope": scope}
        return Answer({"access_token": token, **life, **dead})

    def unionid(self, asked: Asked) -> Answer:
        """Name a user who logged in, across the developer's apps (platforms.md 3.1)."""
        granted = self._granted(asked)
        if isinstance(granted, int):
            return refuse(granted)
        openid = asked.form.get("openid", "")
        person = self._world.users.find(PLATFORM, granted.app_id, openid)
        if person is None:
            return Answer({"errno": 1, "errmsg": "openid is invalid", **self._stamp()})
        return self._told({"unionid": unionid(PLATFORM, person.user)})

    def _is_app(self, app_key: str, secret: str) -> bool:
        apps = self._world.apps
        return apps.has(PLATFORM, app_key) and apps.is_secret(PLATFORM, app_key, secret)

    def _granted(self, asked: Asked) -> Granted | int:
        token = asked.query.get("access_token", "")
        granted = self._world.tokens.find(token, PLATFORM)
        if granted is None:
            return 110
        if self._world.tokens.has_expired(granted):
            return 111
        return granted if SCOPE in granted.flavour.split() else 6

    def _told(self, data: Mapping[str, object]) -> Answer:
        return Answer({"data": data, "errmsg": "succ", "errno": 0, **self._stamp()})

    def _stamp(self) -> dict[str, object]:
        request_id = str(secrets.randbelow(10**10))
        return {"request_id": request_id, "timestamp": int(self._world.clock())}


def refuse(number: Number) -> Answer:
    """Say a number or a word of Baidu's, each in the shape it belongs to."""
    text = TEXTS.get(number, "error")
    if isinstance(number, str):
        return Answer({"error": number, "error_description": text}, status=400)
    if number < GATEWAY_NUMBERS_END:
        return Answer({"error_code": number, "error_msg": text})
    return Answer({"errno": number, "error": text, "error_description": text})


def _refuse_field(name: str) -> Answer:
    path = f"Key: 'Code2SessionKeyParam.{name}'"
    why = f"Error:Field validation for '{name}' failed on the 'required' tag"
    return Answer(
        {
            "errno": PARAMETER_INVALID,
            "error": "parameter is invalid",
            "error_description": f"{path} {why}",
        }
    )
