"""How the platforms seal data for a client, and sign it (platforms.md 1.3, 1.4, 2.4, 3.3, 4.2).

The encrypting side only, written from the documents; opening is the gateway's affair.
"""

import base64
import hashlib
import hmac
import json
import secrets
import struct
from collections.abc import Mapping

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK_BYTES = 16
BAIDU_BLOCK_BYTES = 32
"""Baidu pads to 32 bytes though AES's block is 16 (platforms.md 3.3)."""

BAIDU_HEAD_BYTES = 16


def seal(
    platform: str, app_id: str, session_key: str, data: Mapping[str, object], now_s: int
) -> dict[str, str]:
    """Seal data as the platform does for its client.

    Returns `encryptedData` and `iv`, both base64; but for Baidu, which signs no user data, also
    `rawData` and `signature`. `rawData` has no watermark. A watermark in `data` is left as it is.
    """
    iv = secrets.token_bytes(BLOCK_BYTES)
    if platform == "baidu":
        plain = layout_baidu(dump(data), app_id, secrets.token_bytes(BAIDU_HEAD_BYTES))
        return _encoded(encrypt(plain, session_key, iv, BAIDU_BLOCK_BYTES), iv)
    plain = dump(data if platform == "kuaishou" else _marked(data, app_id, now_s))
    raw_data = dump(data).decode()
    signed = {"rawData": raw_data, "signature": sign_raw_data(raw_data, session_key)}
    return {**_encoded(encrypt(plain, session_key, iv, BLOCK_BYTES), iv), **signed}


def encrypt(plain: bytes, session_key: str, iv: bytes, block_bytes: int) -> bytes:
    """AES-CBC with the key's base64 decoding, PKCS#7 padding to `block_bytes`."""
    pad = block_bytes - len(plain) % block_bytes
    encryptor = Cipher(algorithms.AES(base64.b64decode(session_key)), modes.CBC(iv)).encryptor()
    return encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()


def layout_baidu(content: bytes, app_key: str, head: bytes) -> bytes:
    """16 random bytes, the content's length (uint32, big-endian), the content, the App Key."""
    return head + struct.pack(">I", len(content)) + content + app_key.encode()


def sign_raw_data(raw_data: str, session_key: str) -> str:
    """Hex SHA-1 of rawData and the session_key's text (platforms.md 1.4)."""
    return hashlib.sha1((raw_data + session_key).encode()).hexdigest()  # noqa: S324 - their rule


def sign_session(session_key: str, message: bytes = b"") -> str:
    """Hex HMAC-SHA256 keyed with the session_key's text as it is (platforms.md 1.3)."""
    return hmac.new(session_key.encode(), message, hashlib.sha256).hexdigest()


def dump(data: Mapping[str, object]) -> bytes:
    """JSON in UTF-8 as the clients get it: no spaces, no escapes."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def _marked(data: Mapping[str, object], app_id: str, now_s: int) -> dict[str, object]:
    return {**data, "watermark": data.get("watermark", {"timestamp": now_s, "appid": app_id})}


def _encoded(cipher_text: bytes, iv: bytes) -> dict[str, str]:
    return {
        "encryptedData": base64.b64encode(cipher_text).decode(),
        "iv": base64.b64encode(iv).decode(),
    }
