"""Opens what clients encrypt under their session_key, and signs with it. Pure.

It decides whether encrypted data is genuine: cipher, padding, JSON and the app it was made for
(platforms.md 1.4, 2.4, 3.3, 4.2). Every failure is the same error with the same words, so
that nobody learns from them how far a guess came. It must not know sessions or requests.

Base64 is read strictly: the standard alphabet, padded, nothing else. No platform sends the
URL-safe one. One thing is forgiven: a space is read as the `+` that urlencoding lost
(platforms.md 1.4).
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from gateway.errors import GatewayError
from gateway.platforms.jsontext import parse_object

MAX_ENCRYPTED_CHARACTERS = 64 * 1024  # real ones are under 2 KiB
BLOCK_BYTES = 16  # AES
UNREADABLE = "the data does not open under this session's key; log in again, then fetch it again"

# Baidu's plaintext: random bytes, length, content, app key (platforms.md 3.3).
RANDOM_BYTES = 16
LENGTH_BYTES = 4


class _Scheme(NamedTuple):
    """How a platform encrypts: key size, padding block, and what binds the data to the app."""

    key_bytes: int
    padding_bytes: int
    binding: str


SCHEMES: Mapping[str, _Scheme] = MappingProxyType(
    {
        "wechat": _Scheme(16, 16, "watermark"),
        "douyin": _Scheme(16, 16, "watermark"),
        "kuaishou": _Scheme(16, 16, "none"),
        "baidu": _Scheme(24, 32, "trailer"),
    }
)


def decrypt(
    platform: str, session_key: str, iv: str, encrypted_data: str, app_id: str | None
) -> dict[str, object]:
    """Open encrypted user data and return its JSON object.

    `app_id` is ours, Baidu's App Key there; Kuaishou's data names no app, so it is not compared.
    Raises: GatewayError (data_unreadable), always with the same detail.
    """
    opened = _open(platform, session_key, iv, encrypted_data, app_id)
    if opened is None:
        raise GatewayError("data_unreadable", UNREADABLE)
    return opened


def verify_raw_data(raw_data: str, session_key: str, signature: str) -> bool:
    """Check rawData as received: hex SHA-1 over it and the session_key text (platforms.md 1.4).

    Baidu signs nothing of the kind.
    """
    text = (raw_data + session_key).encode("utf-8", "surrogatepass")
    expected = hashlib.sha1(text, usedforsecurity=False).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogatepass"))


def sign_session(session_key: str, message: str) -> str:
    """Sign with hex HMAC-SHA256, keyed with the session_key text as it is (platforms.md 1.3)."""
    return hmac.new(session_key.encode(), message.encode(), hashlib.sha256).hexdigest()


def _open(
    platform: str, session_key: str, iv: str, encrypted_data: str, app_id: str | None
) -> dict[str, object] | None:
    scheme = SCHEMES.get(platform)
    if scheme is None or len(encrypted_data) > MAX_ENCRYPTED_CHARACTERS:
        return None
    padded = _decipher(scheme, _decode(session_key), _decode(iv), _decode(encrypted_data))
    plaintext = _unpad(padded, scheme.padding_bytes)
    if scheme.binding == "trailer":
        plaintext = _cut_content(plaintext, app_id)
    document = parse_object(plaintext) if plaintext is not None else None
    if document is None or (scheme.binding == "watermark" and not _is_ours(document, app_id)):
        return None
    return document


def _decode(text: str) -> bytes:
    """Decode base64; empty when it is none. A space is a `+` that urlencoding lost."""
    try:
        return base64.b64decode(text.replace(" ", "+"), validate=True)
    except ValueError:
        return b""


def _decipher(scheme: _Scheme, key: bytes, iv: bytes, data: bytes) -> bytes:
    if len(key) != scheme.key_bytes or len(iv) != BLOCK_BYTES or len(data) % BLOCK_BYTES:
        return b""
    decryptor = Cipher(AES(key), CBC(iv)).decryptor()
    return decryptor.update(data) + decryptor.finalize()


def _unpad(padded: bytes, block_bytes: int) -> bytes | None:
    """Remove PKCS#7 padding (RFC 5652 section 6.3); Baidu pads to 32, so up to 32 bytes."""
    count = padded[-1] if padded else 0
    if not 0 < count <= min(block_bytes, len(padded)) or padded[-count:] != bytes([count]) * count:
        return None
    return padded[:-count]


def _cut_content(plaintext: bytes | None, app_key: str | None) -> bytes | None:
    """Take Baidu's content out of its frame, if the app key behind it is ours."""
    start = RANDOM_BYTES + LENGTH_BYTES
    if plaintext is None or len(plaintext) < start or not app_key:
        return None
    end = start + int.from_bytes(plaintext[RANDOM_BYTES:start], "big")
    if not hmac.compare_digest(plaintext[end:], app_key.encode("utf-8", "replace")):
        return None
    return plaintext[start:end]


def _is_ours(document: Mapping[str, object], app_id: str | None) -> bool:
    watermark = document.get("watermark")
    return isinstance(watermark, dict) and bool(app_id) and watermark.get("appid") == app_id
