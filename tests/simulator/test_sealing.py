"""Sealed data, opened here by the documented rules, and the primitives against the vectors."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from gateway.simulator.sealing import encrypt, layout_baidu, seal, sign_raw_data, sign_session
from gateway.simulator.shapes import new_session_key

if TYPE_CHECKING:
    from tests.simulator.conftest import Simulator

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "decrypt.json").read_text("utf-8")
)
USER = {"nickName": "安安🎬", "gender": 1}


def vectors(kind: str) -> list[Any]:
    """The vectors of one kind that are made with a session_key."""
    chosen = [v for v in VECTORS if v["kind"] == kind and "session_key" in v]
    return [pytest.param(vector, id=vector["id"]) for vector in chosen]


def unlock(session_key: str, iv: str, encrypted: str) -> bytes:
    """AES-CBC undone, padding still there."""
    key, start = base64.b64decode(session_key), base64.b64decode(iv)
    decryptor = Cipher(algorithms.AES(key), modes.CBC(start)).decryptor()
    return decryptor.update(base64.b64decode(encrypted)) + decryptor.finalize()


@pytest.mark.parametrize("vector", vectors("decrypt"))
def test_encrypting_a_vectors_plaintext_gives_its_bytes(vector: dict[str, Any]) -> None:
    """With the vector's key and iv, our encryption ends at the published ciphertext."""
    padded = unlock(vector["session_key"], vector["iv"], vector["encrypted_data"])
    block = 32 if vector["platform"] == "baidu" else 16
    plain = padded[: -padded[-1]]
    again = encrypt(plain, vector["session_key"], base64.b64decode(vector["iv"]), block)
    assert base64.b64encode(again).decode() == vector["encrypted_data"]


def test_baidus_layout_is_the_vectors() -> None:
    """From its parts, the layout rebuilds the official plaintext, pad byte 28 included."""
    vector = next(v for v in VECTORS if v["id"] == "baidu-official-userinfo")
    padded = unlock(vector["session_key"], vector["iv"], vector["encrypted_data"])
    assert padded[-1] == vector["pad_byte"] == 28
    plain = padded[:-28]
    length = struct.unpack(">I", plain[16:20])[0]
    content = plain[20 : 20 + length]
    assert json.loads(content) == vector["expected"]
    assert layout_baidu(content, vector["app_key"], plain[:16]) == plain


@pytest.mark.parametrize("vector", vectors("rawdata_signature"))
def test_raw_data_signature(vector: dict[str, Any]) -> None:
    """SHA-1 of the text and the key's text."""
    assert sign_raw_data(vector["raw_data"], vector["session_key"]) == vector["signature"]


@pytest.mark.parametrize("vector", vectors("session_hmac"))
def test_session_signature(vector: dict[str, Any]) -> None:
    """HMAC-SHA256 with the key's text as it is."""
    message = vector["message"].encode()
    assert sign_session(vector["session_key"], message) == vector["signature"]


@pytest.mark.parametrize(
    ("platform", "has_watermark"),
    [
        pytest.param("wechat", True, id="watermark"),
        pytest.param("douyin", True, id="as WeChat"),
        pytest.param("kuaishou", False, id="nothing binds it to the app"),
    ],
)
def test_sealed_data_opens(platform: str, *, has_watermark: bool) -> None:
    """AES-128, block 16, JSON, a watermark where the platform has one, rawData without it."""
    key = new_session_key(platform)
    sealed = seal(platform, "app-1", key, USER, 1_700_000_000)
    padded = unlock(key, sealed["iv"], sealed["encryptedData"])
    pad = padded[-1]
    assert 1 <= pad <= 16
    assert padded[-pad:] == bytes([pad]) * pad
    watermark = {"watermark": {"timestamp": 1_700_000_000, "appid": "app-1"}}
    assert json.loads(padded[:-pad]) == {**USER, **(watermark if has_watermark else {})}
    assert json.loads(sealed["rawData"]) == USER
    digest = hashlib.sha1((sealed["rawData"] + key).encode()).hexdigest()  # noqa: S324 - their rule
    assert sealed["signature"] == digest


@pytest.mark.parametrize("name", ["", "a", "安" * 40])
def test_sealed_data_of_baidu_opens(name: str) -> None:
    """AES-192, block 32, length in bytes, the App Key behind; no rawData is signed."""
    key = new_session_key("baidu")
    sealed = seal("baidu", "app-key", key, {"nickname": name}, 0)
    assert set(sealed) == {"encryptedData", "iv"}
    padded = unlock(key, sealed["iv"], sealed["encryptedData"])
    pad = padded[-1]
    assert 1 <= pad <= 32
    assert len(padded) % 32 == 0
    plain = padded[:-pad]
    length = struct.unpack(">I", plain[16:20])[0]
    assert json.loads(plain[20 : 20 + length]) == {"nickname": name}
    assert plain[20 + length :] == b"app-key"


def test_a_given_watermark_stays() -> None:
    """Whoever tests a wrong watermark may write it."""
    key = new_session_key("wechat")
    mark = {"appid": "another", "timestamp": 1}
    sealed = seal("wechat", "app-1", key, {"watermark": mark}, 0)
    padded = unlock(key, sealed["iv"], sealed["encryptedData"])
    assert json.loads(padded[: -padded[-1]]) == {"watermark": mark}


async def test_the_key_of_the_login_opens_what_the_client_gets(sim: Simulator) -> None:
    """Over HTTP: log in, have data sealed, open it with the login's session_key."""
    query = {"appid": "wx1", "secret": "wx1-secret", "grant_type": "authorization_code"}
    code = await sim.code("wechat", "wx1")
    key = (await sim.get("/sns/jscode2session", js_code=code, **query)).json["session_key"]
    fields = {"platform": "wechat", "app_id": "wx1", "user": "ann", "data": USER}
    sealed = (await sim.post("/_sim/encrypt", fields)).json
    padded = unlock(key, sealed["iv"], sealed["encryptedData"])
    assert json.loads(padded[: -padded[-1]])["nickName"] == USER["nickName"]
