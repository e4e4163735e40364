"""WeChat's server API as platforms.md section 1 tells it.

Its habits: JSON under text/plain, no `errcode` on a login's success, all errors with HTTP 200.
"""

import hmac
import secrets
from collections.abc import Mapping
from types import MappingProxyType

from gateway.simulator.calls import Answer, Asked, Call, Number
from gateway.simulator.codes import Minted, Refusal
from gateway.simulator.sealing import sign_session
from gateway.simulator.tokens import Granted
from gateway.simulator.users import Person
from gateway.simulator.world import World

PLATFORM = "wechat"
TOKEN_LIFE_S = 7200
CLASSIC_OVERLAP_S = 300
COUNTRY_CODE = 86
"""A number in this API, a string in sealed data (platforms.md 1.4, 1.5)."""

FAULT_NUMBERS = MappingProxyType({"busy": -1, "rate": 45011, "blocked": 40226, "secret": 40125})

TEXTS = MappingProxyType(
    {
        -1: "system error",
        40001: "invalid credential, access_token is invalid or not latest",
        40002: "invalid grant_type",
        40003: "invalid openid",
        40013: "invalid appid",
        40029: "invalid code",
        40125: "invalid appsecret",
        40163: "code been used",
        40226: "code blocked",
        41001: "access_token missing",
        41002: "appid missing",
        41004: "appsecret missing",
        41008: "missing code",
        42001: "access_token expired",
        45009: "reach max api daily quota limit",
        45011: "api minute-quota reach limit, must slower, retry next minute",
        87009: "invalid signature",
    }
)


class WeChat:
    """The calls of api.weixin.qq.com that a gateway makes."""

    def __init__(self, world: World) -> None:
        self._world = world

    def calls(self) -> tuple[Call, ...]:
        """List the paths served."""
        get, post = ("GET",), ("POST",)
        login = "/sns/jscode2session"
        phone = "/wxa/business/getuserphonenumber"
        check, reset = "/wxa/checksession", "/wxa/resetusersessionkey"
        return (
            # A POST is heard, for its answer tells what is wrong (platforms.md 1.1, 41002).
            Call(PLATFORM, "login", ("GET", "POST"), login, self.code2session, refuse_as_text),
            Call(PLATFORM, "token", get, "/cgi-bin/token", self.token, refuse),
            Call(PLATFORM, "token", post, "/cgi-bin/stable_token", self.stable_token, refuse),
            Call(PLATFORM, "session", get, check, self.check_session, refuse),
            Call(PLATFORM, "session", get, reset, self.reset_session_key, refuse),
            Call(PLATFORM, "phone", post, phone, self.phone_number, refuse),
        )

    def code2session(self, asked: Asked) -> Answer:
        """Exchange a login code (platforms.md 1.1)."""
        query: Mapping[str, str] = {} if asked.has_body else asked.query
        app_id, code = query.get("appid", ""), query.get("js_code", "")
        number = self._refusal(app_id, query.get("secret", ""), code, query.get("grant_type"))
        if number:
            return refuse_as_text(number)
        login = self._world.login(PLATFORM, app_id, code)
        if isinstance(login, Refusal):
            return refuse_as_text(40163 if login is Refusal.USED else 40029)
        payload = {"session_key": login.session_key, "openid": login.openid}
        if login.unionid:
            payload["unionid"] = login.unionid
        return Answer(payload, content_type="text/plain")

    # App access tokens (platforms.md 1.2)

    def token(self, asked: Asked) -> Answer:
        """Make a classic token: each call makes a new one and retires the old one."""
        query = asked.query
        app_id, secret = query.get("appid", ""), query.get("secret", "")
        number = self._credentials(app_id, secret) or _wrong_grant(query.get("grant_type"))
        if number:
            return refuse(number)
        token = self._world.tokens.grant(
            PLATFORM, app_id, "classic", life_s=TOKEN_LIFE_S, overlap_s=CLASSIC_OVERLAP_S
        )
        return Answer({"access_token": token, "expires_in": TOKEN_LIFE_S})

    def stable_token(self, asked: Asked) -> Answer:
        """Give the stable token, the same while it lives; `force_refresh` kills it."""
        app_id, secret = asked.text("appid"), asked.text("secret")
        number = self._credentials(app_id, secret) or _wrong_grant(asked.text("grant_type"))
        if number:
            return refuse(number)
        tokens = self._world.tokens
        may_force = asked.json.get("force_refresh") is True and tokens.may_force(PLATFORM, app_id)
        if may_force is None:
            return refuse(45009)
        if may_force:
            tokens.grant(PLATFORM, app_id, "stable", life_s=TOKEN_LIFE_S, overlap_s=0)
        token, left_s = tokens.stable(PLATFORM, app_id, life_s=TOKEN_LIFE_S)
        return Answer({"access_token": token, "expires_in": left_s})

    # session_keys (platforms.md 1.3)

    def check_session(self, asked: Asked) -> Answer:
        """Say whether the session_key that signed is still the user's."""
        signer = self._signer(asked)
        return refuse(signer) if isinstance(signer, int) else Answer(_ok())

    def reset_session_key(self, asked: Asked) -> Answer:
        """Give the user a new session_key."""
        signer = self._signer(asked)
        if isinstance(signer, int):
            return refuse(signer)
        person = self._world.users.login(PLATFORM, signer.app_id, signer.user)
        keys = {"openid": person.openid, "session_key": person.session_keys[0]}
        return Answer({**_ok(), **keys})

    # Phone numbers (platforms.md 1.5)

    def phone_number(self, asked: Asked) -> Answer:
        """Exchange a phone code; an openid sent along must be of the same user."""
        granted = self._granted(asked)
        if isinstance(granted, int):
            return refuse(granted)
        code, openid = asked.text("code"), asked.text("openid")
        minted = self._world.codes.look(code, PLATFORM, granted.app_id, "phone")
        if isinstance(minted, Refusal):
            return refuse(40013 if minted is Refusal.OTHER_APP else 40029)
        person = self._world.users.find(PLATFORM, granted.app_id, openid)
        if openid and (person is None or person.user != minted.user):
            return refuse(40003)
        self._world.codes.redeem(code, PLATFORM, granted.app_id, "phone")
        return Answer({**_ok(), "phone_info": self._phone_info(minted)})

    def _phone_info(self, minted: Minted) -> dict[str, object]:
        return {
            "phoneNumber": minted.phone_number,
            "purePhoneNumber": minted.phone_number,
            "countryCode": COUNTRY_CODE,
            "watermark": {"timestamp": int(self._world.clock()), "appid": minted.app_id},
        }

    # Who is asking

    def _refusal(self, app_id: str, secret: str, code: str, grant_type: str | None) -> int:
        if not app_id or not secret:
            return self._credentials(app_id, secret)
        if not code:
            return 41008
        if grant_type != "authorization_code":
            return 40002
        return self._credentials(app_id, secret)

    def _credentials(self, app_id: str, secret: str) -> int:
        if not app_id:
            return 41002
        if not secret:
            return 41004
        if not self._world.apps.has(PLATFORM, app_id):
            return 40013
        return 0 if self._world.apps.is_secret(PLATFORM, app_id, secret) else 40125

    def _granted(self, asked: Asked) -> Granted | int:
        token = asked.query.get("access_token")
        if not token:
            return 41001
        granted = self._world.tokens.find(token, PLATFORM)
        if granted is None:
            return 40001
        return 42001 if self._world.tokens.has_expired(granted) else granted

    def _signer(self, asked: Asked) -> Person | int:
        granted = self._granted(asked)
        if isinstance(granted, int):
            return granted
        person = self._world.users.find(PLATFORM, granted.app_id, asked.query.get("openid", ""))
        if person is None:
            return 40003
        expected = sign_session(person.session_keys[0])
        given = asked.query.get("signature", "").encode()
        is_good = hmac.compare_digest(expected.encode(), given)
        return person if is_good and asked.query.get("sig_method") == "hmac_sha256" else 87009


def refuse(number: Number) -> Answer:
    """Say a number as WeChat does, with the id of the request at the end of the text."""
    rid = "-".join(secrets.token_hex(4) for _ in range(3))
    text = TEXTS.get(number, "error") if isinstance(number, int) else "error"
    return Answer({"errcode": number, "errmsg": f"{text}, rid: {rid}"})


def refuse_as_text(number: Number) -> Answer:
    """The same under text/plain, as code2session has it."""
    return Answer(refuse(number).payload, content_type="text/plain")


def _wrong_grant(grant_type: str | None) -> int:
    return 0 if grant_type == "client_credential" else 40002


def _ok() -> dict[str, object]:
    return {"errcode": 0, "errmsg": "ok"}
