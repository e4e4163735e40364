"""Douyin's phone call and the client_token it needs (platforms.md 2.2, 2.4).

The number comes sealed under the RSA key that the app registered, so the app must have one.
"""

import base64
import secrets
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from gateway.simulator.calls import Answer, Asked, Call, Number
from gateway.simulator.codes import Minted, Refusal
from gateway.simulator.sealing import dump
from gateway.simulator.tokens import Granted
from gateway.simulator.world import World

PLATFORM = "douyin"
TOKEN_LIFE_S = 7200
TOKEN_OVERLAP_S = 300
TEXTS = MappingProxyType(
    {
        10002: "parameter error",
        10003: "client_key error",
        10013: "client_key or client_secret error",
        28001003: "access_token invalid",
        28001007: "parameter error",
        28001008: "access_token expired",
        28001014: "app has no capability",
        28005187: "code expired",
    }
)


class DouyinPhone:
    """The calls of open.douyin.com that a gateway makes."""

    def __init__(self, world: World) -> None:
        self._world = world

    def calls(self) -> tuple[Call, ...]:
        """List the paths served."""
        token, phone = "/oauth/client_token/", "/api/apps/v1/get_phonenumber_info/"
        return (
            Call(PLATFORM, "token", ("POST",), token, self.client_token, refuse_token),
            Call(PLATFORM, "phone", ("POST",), phone, self.phone_number, refuse),
        )

    def client_token(self, asked: Asked) -> Answer:
        """Make a client_token; the one before lives 5 minutes on."""
        app_id = asked.text("client_key")
        if asked.text("grant_type") != "client_credential" or not app_id:
            return refuse_token(10002)
        if not self._world.apps.has(PLATFORM, app_id):
            return refuse_token(10003)
        if not self._world.apps.is_secret(PLATFORM, app_id, asked.text("client_secret")):
            return refuse_token(10013)
        token = self._world.tokens.grant(
            PLATFORM, app_id, "client", life_s=TOKEN_LIFE_S, overlap_s=TOKEN_OVERLAP_S
        )
        data = {"access_token": token, "description": "", "error_code": 0}
        return Answer({"data": {**data, "expires_in": TOKEN_LIFE_S}, "message": "success"})

    def phone_number(self, asked: Asked) -> Answer:
        """Exchange a phone code for the number, sealed under the app's public key."""
        granted = self._granted(asked)
        if isinstance(granted, int):
            return refuse(granted)
        key = self._public_key(granted.app_id)
        if key is None:
            return refuse(28001014)
        code = asked.text("code")
        if not code:
            return refuse(28001007)
        minted = self._world.codes.redeem(code, PLATFORM, granted.app_id, "phone")
        if isinstance(minted, Refusal):
            return refuse(28005187)
        data = self._sealed(minted, key)
        return Answer({"err_no": 0, "err_msg": "", "log_id": secrets.token_hex(16), "data": data})

    def _granted(self, asked: Asked) -> Granted | int:
        granted = self._world.tokens.find(asked.headers.get("access-token", ""), PLATFORM)
        if granted is None or granted.flavour != "client":
            return 28001003
        return 28001008 if self._world.tokens.has_expired(granted) else granted

    def _public_key(self, app_id: str) -> RSAPublicKey | None:
        app = self._world.apps.find(PLATFORM, app_id)
        if app is None or app.phone_public_key is None:
            return None
        key = load_pem_public_key(app.phone_public_key.encode())
        return key if isinstance(key, RSAPublicKey) else None

    def _sealed(self, minted: Minted, key: RSAPublicKey) -> str:
        watermark = {"appid": minted.app_id, "timestamp": int(self._world.clock())}
        number = minted.phone_number
        plain = {"purePhoneNumber": number, "phoneNumber": number, "countryCode": "86"}
        return base64.b64encode(
            key.encrypt(dump({**plain, "watermark": watermark}), PKCS1v15())
        ).decode()


def refuse(number: Number) -> Answer:
    """Say a number as the phone call does."""
    return Answer({"err_no": number, "err_msg": _text(number), "log_id": secrets.token_hex(16)})


def refuse_token(number: Number) -> Answer:
    """Say a number as the client_token call does."""
    data = {"description": _text(number), "error_code": number}
    return Answer({"data": data, "message": "error"})


def _text(number: Number) -> str:
    return TEXTS.get(number, "error") if isinstance(number, int) else "error"
