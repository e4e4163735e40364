"""Encrypted user data: the published vectors, and everything that must not open."""

import base64
import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.platforms.crypto import (
    MAX_ENCRYPTED_CHARACTERS,
    decrypt,
    sign_session,
    verify_raw_data,
)

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "decrypt.json").read_text("utf-8")
)
# Alipay has no session_key: its data is encrypted under the app's own AES key, and no Alipay app
# can log in here.
LEFT_OUT = {"alipay"}
KEY = base64.b64encode(b"k" * 16).decode()
BAIDU_KEY = base64.b64encode(b"k" * 24).decode()
IV = base64.b64encode(b"i" * 16).decode()


def vectors(kind: str) -> list[Any]:
    return [
        pytest.param(vector, id=vector["id"])
        for vector in VECTORS
        if vector["kind"] == kind and vector["platform"] not in LEFT_OUT
    ]


def open_vector(vector: dict[str, Any]) -> dict[str, object]:
    return decrypt(
        vector["platform"],
        vector["session_key"],
        vector["iv"],
        vector["encrypted_data"],
        vector.get("app_key", vector.get("app_id")),
    )


def seal(plaintext: bytes, key: str = KEY, block_bytes: int = 16, padding: bytes = b"") -> str:
    """Encrypt as a platform would; `padding` replaces the right one."""
    count = block_bytes - len(plaintext) % block_bytes
    encryptor = Cipher(AES(base64.b64decode(key)), CBC(b"i" * 16)).encryptor()
    padded = plaintext + (padding or bytes([count]) * count)
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def seal_baidu(content: bytes, app_key: bytes = b"key-1", length: int | None = None) -> str:
    size = len(content) if length is None else length
    framed = b"r" * 16 + size.to_bytes(4, "big") + content + app_key
    return seal(framed, BAIDU_KEY, 32)


def watermarked(app_id: object = "wx1") -> bytes:
    return json.dumps({"a": 1, "watermark": {"appid": app_id, "timestamp": 1}}).encode()


def refusal(*arguments: Any) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        decrypt(*arguments)
    return caught.value


# The vectors


@pytest.mark.parametrize("vector", vectors("decrypt"))
def test_published_data_opens(vector: dict[str, Any]) -> None:
    """To the expected object, or to one of the expected digest and fields."""
    assert open_vector(vector) == vector["expected"]


@pytest.mark.parametrize("vector", vectors("decrypt_negative"))
def test_published_traps_do_not_open(vector: dict[str, Any]) -> None:
    """Wrong key, wrong app."""
    with pytest.raises(GatewayError) as caught:
        open_vector(vector)
    assert caught.value.code == "data_unreadable"


@pytest.mark.parametrize("vector", vectors("rawdata_signature"))
def test_published_signatures_of_raw_data(vector: dict[str, Any]) -> None:
    """Good as they stand, bad when anything changes."""
    raw_data, key, signature = vector["raw_data"], vector["session_key"], vector["signature"]
    assert verify_raw_data(raw_data, key, signature)
    assert not verify_raw_data(raw_data + " ", key, signature)
    assert not verify_raw_data(raw_data, key[1:], signature)
    assert not verify_raw_data(raw_data, key, signature[1:])
    assert not verify_raw_data(raw_data, key, "")
    assert not verify_raw_data(raw_data, key, "签名")


@pytest.mark.parametrize("vector", vectors("session_hmac"))
def test_published_session_signatures(vector: dict[str, Any]) -> None:
    """The key is the text, not what it decodes to."""
    assert sign_session(vector["session_key"], vector["message"]) == vector["signature"]


def test_every_vector_is_used() -> None:
    """A new kind or platform in the file does not go unnoticed."""
    kinds = ("decrypt", "decrypt_negative", "rawdata_signature", "session_hmac")
    used = sum(len(vectors(kind)) for kind in kinds)
    assert used == len([v for v in VECTORS if v["platform"] not in LEFT_OUT]) == 13


# What opens


@pytest.mark.parametrize("platform", ["wechat", "douyin", "kuaishou"])
@given(st.dictionaries(st.text(), st.text() | st.integers()))
def test_what_a_platform_seals_opens(platform: str, data: dict[str, object]) -> None:
    """Any object, with the watermark of our app."""
    document = {**data, "watermark": {"appid": "wx1"}}
    sealed = seal(json.dumps(document).encode())
    assert decrypt(platform, KEY, IV, sealed, "wx1") == document


@given(st.dictionaries(st.text(), st.text() | st.integers()))
def test_what_baidu_seals_opens(data: dict[str, object]) -> None:
    """The length counts bytes, and the padding may have 1 to 32 of them."""
    sealed = seal_baidu(json.dumps(data, ensure_ascii=False).encode())
    assert decrypt("baidu", BAIDU_KEY, IV, sealed, "key-1") == data


def test_kuaishou_names_no_app() -> None:
    """Nothing binds its data to the app but the key (platforms.md 4.2)."""
    sealed = seal(b'{"phoneNumber":"1"}')
    assert decrypt("kuaishou", KEY, IV, sealed, None) == {"phoneNumber": "1"}


def test_a_lost_plus_is_forgiven() -> None:
    """A urlencoded form turns `+` into a space (platforms.md 1.4)."""
    vector = next(v for v in VECTORS if v["id"] == "wechat-official-userinfo")
    assert "+" in vector["encrypted_data"]
    lost = {**vector, "encrypted_data": vector["encrypted_data"].replace("+", " ")}
    assert open_vector(lost) == vector["expected"]


# What does not open

GOOD = seal(watermarked())
UNREADABLE = [
    pytest.param("alipay", KEY, IV, GOOD, "wx1", id="no such platform here"),
    pytest.param("wechat", "", IV, GOOD, "wx1", id="no key"),
    pytest.param("wechat", KEY, "", GOOD, "wx1", id="no IV"),
    pytest.param("wechat", KEY, IV, "", "wx1", id="no data"),
    pytest.param("wechat", KEY, IV, GOOD, None, id="no app id to compare"),
    pytest.param("wechat", KEY, IV, GOOD, "wx2", id="another app's"),
    pytest.param("wechat", KEY, IV, seal(watermarked(None)), None, id="null is no app id"),
    pytest.param("wechat", KEY, IV, seal(watermarked("")), "", id="nor is an empty one"),
    pytest.param("wechat", KEY, IV, seal(b'{"a":1}'), "wx1", id="no watermark"),
    pytest.param("wechat", KEY, IV, seal(b'{"watermark":"wx1"}'), "wx1", id="watermark is a text"),
    pytest.param("wechat", KEY, IV, seal(b"[1]"), "wx1", id="a list"),
    pytest.param("wechat", KEY, IV, seal(b"\xff{}"), "wx1", id="not UTF-8"),
    pytest.param("wechat", KEY, IV, seal(b""), "wx1", id="nothing inside"),
    pytest.param("wechat", KEY, IV, seal(b"x" * 15, padding=b"\0"), "wx1", id="padding 0"),
    pytest.param("wechat", KEY, IV, seal(b"x" * 15, padding=b"\x11"), "wx1", id="padding 17"),
    pytest.param("wechat", KEY, IV, seal(b"x" * 13, padding=b"\1\2\3"), "wx1", id="uneven padding"),
    pytest.param("wechat", BAIDU_KEY, IV, GOOD, "wx1", id="24 bytes of key"),
    pytest.param("baidu", KEY, IV, seal_baidu(b"{}"), "key-1", id="16 bytes of key"),
    pytest.param("wechat", KEY, KEY + KEY, GOOD, "wx1", id="an IV that is too long"),
    pytest.param("wechat", KEY, IV, GOOD[:-4], "wx1", id="not whole blocks"),
    pytest.param("wechat", KEY, IV, GOOD.rstrip("=") + "*", "wx1", id="no base64"),
    pytest.param("wechat", KEY, IV, GOOD + "\n", "wx1", id="a line end"),
    pytest.param("wechat", KEY, IV, GOOD.replace("+", "-").replace("/", "_") + "-_==", "wx1",
                 id="the URL-safe alphabet, which no platform sends"),
    pytest.param("wechat", KEY, IV, "数据", "wx1", id="not ASCII"),
    pytest.param("wechat", KEY, IV, "\ud800", "wx1", id="a lone surrogate"),
    pytest.param("wechat", KEY, IV, "A" * (MAX_ENCRYPTED_CHARACTERS + 4), "wx1", id="too much"),
    pytest.param("baidu", BAIDU_KEY, IV, seal_baidu(b"{}"), "key-2", id="another app key"),
    pytest.param("baidu", BAIDU_KEY, IV, seal_baidu(b"{}"), None, id="no app key"),
    pytest.param("baidu", BAIDU_KEY, IV, seal_baidu(b"{}", b""), "", id="an empty app key"),
    pytest.param("baidu", BAIDU_KEY, IV, seal_baidu(b"{}", length=2**32 - 1), "key-1",
                 id="a length beyond the data"),
    pytest.param("baidu", BAIDU_KEY, IV, seal_baidu(b"{}", length=1), "key-1", id="a short length"),
    pytest.param("baidu", BAIDU_KEY, IV, seal(b"r" * 15, BAIDU_KEY, 32), "key-1", id="too short"),
]  # fmt: skip


@pytest.mark.parametrize(("platform", "key", "iv", "data", "app_id"), UNREADABLE)
def test_every_failure_is_the_same_error(
    platform: str, key: str, iv: str, data: str, app_id: str | None
) -> None:
    """No oracle: one code, one detail, nothing behind it."""
    error = refusal(platform, key, iv, data, app_id)
    model = refusal("wechat", "", "", "", None)
    assert (
        (error.code, error.detail)
        == (model.code, model.detail)
        == (
            "data_unreadable",
            model.detail,
        )
    )
    assert error.__cause__ is None
    assert error.__context__ is None


@given(st.integers(0, len(base64.b64decode(GOOD)) * 8 - 1))
def test_a_flipped_bit_never_raises_anything_else(position: int) -> None:
    """CBC is malleable: some flips open to another text, none escapes as another error."""
    data = bytearray(base64.b64decode(GOOD))
    data[position // 8] ^= 1 << position % 8
    with suppress(GatewayError):
        decrypt("wechat", KEY, IV, base64.b64encode(data).decode(), "wx1")


def test_raw_data_is_signed_as_text() -> None:
    """Re-serialised JSON is another text (platforms.md section 12, trap 7)."""
    raw_data = '{"nickName":"微信","gender":1}'
    signature = hashlib.sha1((raw_data + KEY).encode(), usedforsecurity=False).hexdigest()
    assert verify_raw_data(raw_data, KEY, signature)
    assert not verify_raw_data(json.dumps(json.loads(raw_data)), KEY, signature)
