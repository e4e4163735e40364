"""Douyin's phone call: client_token, then a number sealed by RSA (platforms.md 2.2, 2.4)."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.simulator.app import SimulatedApp

if TYPE_CHECKING:
    from tests.simulator.conftest import Simulator, StartSim, Told

TOKEN = "/oauth/client_token/"
PHONE = "/api/apps/v1/get_phonenumber_info/"


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    """The app's own key pair."""
    return generate_private_key(65537, 2048)


@pytest.fixture
async def sealing(start_sim: StartSim, key: RSAPrivateKey) -> Simulator:
    """A simulator where tt1 registered its RSA key, tt2 nothing, and tt3 a key of another kind."""
    elliptic = ec.generate_private_key(ec.SECP256R1())
    keys = {"tt1": pem(key.public_key()), "tt2": None, "tt3": pem(elliptic.public_key())}
    return await start_sim(
        [
            SimulatedApp("douyin", app_id, f"{app_id}-secret", phone_public_key=public_key)
            for app_id, public_key in keys.items()
        ]
    )


def pem(key: RSAPublicKey | ec.EllipticCurvePublicKey) -> str:
    """A public key as it is registered."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


async def token(sim: Simulator, app_id: str = "tt1", **changed: str) -> Told:
    """Ask for a client_token."""
    good = {"client_key": app_id, "client_secret": f"{app_id}-secret"}
    return await sim.post(TOKEN, {**good, "grant_type": "client_credential", **changed})


async def phone(sim: Simulator, access_token: str, code: str) -> Told:
    """Exchange a phone code."""
    return await sim.post(PHONE, {"code": code}, headers={"access-token": access_token})


async def test_phone_number(sealing: Simulator, key: RSAPrivateKey) -> None:
    """The number opens with the app's private key, and the code is good once."""
    access_token = (await token(sealing)).json["data"]["access_token"]
    code = await sealing.code("douyin", "tt1", kind="phone", phone_number="13900001111")
    told = (await phone(sealing, access_token, code)).json
    assert told["err_no"] == 0
    opened = json.loads(key.decrypt(base64.b64decode(told["data"]), PKCS1v15()))
    assert opened == {
        "purePhoneNumber": "13900001111",
        "phoneNumber": "13900001111",
        "countryCode": "86",
        "watermark": {"appid": "tt1", "timestamp": 1_700_000_000},
    }
    assert (await phone(sealing, access_token, code)).json["err_no"] == 28005187


async def test_phone_refusals(sealing: Simulator) -> None:
    """Tokens, apps without a key, missing and expired codes have their numbers."""
    access_token = (await token(sealing)).json["data"]["access_token"]
    keyless = [(await token(sealing, app)).json["data"]["access_token"] for app in ("tt2", "tt3")]
    code = await sealing.code("douyin", "tt1", kind="phone")
    assert (await phone(sealing, "unknown", code)).json["err_no"] == 28001003
    for unable in keyless:
        assert (await phone(sealing, unable, code)).json["err_no"] == 28001014
    assert (await phone(sealing, access_token, "")).json["err_no"] == 28001007
    sealing.clock.forward(300)
    assert (await phone(sealing, access_token, code)).json["err_no"] == 28005187
    sealing.clock.forward(6900)
    assert (await phone(sealing, access_token, code)).json["err_no"] == 28001008


@pytest.mark.parametrize(
    ("changed", "error_code"),
    [
        pytest.param({"grant_type": "x"}, 10002, id="wrong grant type"),
        pytest.param({"client_key": "tt9"}, 10003, id="no such app"),
        pytest.param({"client_secret": "wrong"}, 10013, id="wrong secret"),
    ],
)
async def test_token_refusals(sealing: Simulator, changed: dict[str, str], error_code: int) -> None:
    """The client_token call has its own shape and numbers."""
    told = (await token(sealing, **changed)).json
    assert (told["message"], told["data"]["error_code"]) == ("error", error_code)


async def test_the_old_client_token_lives_five_minutes_on(sealing: Simulator) -> None:
    """A new token shortens the old one; the mini-app's other token does not open this call."""
    old = (await token(sealing)).json["data"]["access_token"]
    assert (await token(sealing)).json["message"] == "success"
    assert (await phone(sealing, old, "")).json["err_no"] == 28001007
    sealing.clock.forward(300)
    assert (await phone(sealing, old, "")).json["err_no"] == 28001008
    fields = {"appid": "tt1", "secret": "tt1-secret", "grant_type": "client_credential"}
    other = (await sealing.post("/api/apps/v2/token", fields)).json["data"]["access_token"]
    assert (await phone(sealing, other, "")).json["err_no"] == 28001003
