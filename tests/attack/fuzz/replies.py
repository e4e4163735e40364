"""Fuzzes what platforms answer and what clients give to decrypt (attacks.md S15, H21).

Whatever a platform says, an id that comes of it is clean, and no refusal repeats a piece of it.
"""

import base64
import json
import re
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from gateway.errors import GatewayError, render
from gateway.platforms import baidu, douyin, kuaishou, wechat
from gateway.platforms.api import Reply, _read_reply
from gateway.platforms.base import LoginCodes, PlatformIdentity
from gateway.platforms.crypto import decrypt
from gateway.platforms.tokens import AppToken
from tests.attack.fuzz.fuzzer import MARKER, Fuzzer, must

_BOTH = LoginCodes("code", "anonymous-code")
_GUEST = LoginCodes(None, "anonymous-code")
_READERS: tuple[Callable[[Reply], PlatformIdentity | AppToken], ...] = (
    wechat.read,
    lambda reply: douyin.read_program(reply, _BOTH),
    lambda reply: douyin.read_game(reply, _BOTH),
    lambda reply: douyin.read_program(reply, _GUEST),
    baidu.read_old,
    baidu.read_v2,
    baidu.read_token,
    kuaishou.read,
)
_STATUSES = (200, 200, 200, 200, 204, 302, 400, 401, 404, 429, 500, 502, 599)
_CODES = frozenset(
    {"code_invalid", "bad_request", "user_blocked", "rate_limited", "platform_busy"}
    | {"platform_config", "platform_error"}
)
_ID = re.compile(r"[!-+\--~]{1,128}")
_APP_ID = "wxfuzzfuzzfuzz"
_PLATFORMS = ("wechat", "douyin", "kuaishou", "baidu")
_DECRYPTING = 0x80
"""The first byte: a reader's number; from here on it is data to decrypt."""


def check(data: bytes) -> None:
    """Read a reply, or decrypt: the first byte says which, the second the HTTP status."""
    if len(data) < 2:
        return
    if data[0] >= _DECRYPTING:
        _check_decrypt(_PLATFORMS[data[0] % len(_PLATFORMS)], data[1], data[2:])
        return
    reader = _READERS[data[0] % len(_READERS)]
    status, body = _STATUSES[data[1] % len(_STATUSES)], data[2:]
    outcome = _read_reply(status, body)
    if isinstance(outcome, GatewayError):
        _check_refusal(outcome)
        return
    _check_json(body)
    try:
        found = reader(outcome)
    except GatewayError as error:
        _check_refusal(error)
        return
    must(200 <= status < 300, "an identity out of an answer that denies success")
    if isinstance(found, PlatformIdentity):
        _check_identity(found)
    else:
        must(re.fullmatch(r"[!-~]{1,4096}", found.value), "an access token of odd characters")
        must(MARKER not in repr(found), "an access token is shown")


def _check_identity(found: PlatformIdentity) -> None:
    for value in (found.openid, found.unionid, found.anonymous_openid):
        must(value is None or _ID.fullmatch(value), "an id that is not clean")
    must(found.openid or found.anonymous_openid, "nobody has logged in")
    key = found.session_key
    must(key is None or re.fullmatch(r"[!-~]{1,256}", key), "a session_key of odd characters")
    must(key is None or len(key) < 8 or key not in repr(found), "a session_key is shown")


def _check_json(body: bytes) -> None:
    """What was read as JSON is strict JSON, with no name twice at any depth."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = [name for name, _ in pairs]
        must(len(names) == len(set(names)), "a name stands twice")
        return dict(pairs)

    def refuse(_name: str) -> None:
        must(holds=False, what="a number that is none")

    read = json.loads(body.decode("utf-8-sig"), object_pairs_hook=once, parse_constant=refuse)
    must(isinstance(read, dict), "no object")


def _check_refusal(error: GatewayError) -> None:
    must(error.code in _CODES, "another refusal")
    told = f"{error} {error.platform_code} {error.args} {error.__cause__} {error.__context__}"
    must(MARKER not in told, "a refusal repeats what the platform said")
    answer = render(error, "0123456789abcdef")
    document = json.loads(answer.body)
    must(document["status"] == answer.status >= 400, "the answer's status")
    must(all(re.fullmatch(r"[\x20-\x7e]*", value) for _, value in answer.headers), "a header")


# -- decrypting -----------------------------------------------------------------------------------


def _check_decrypt(platform: str, how: int, text: bytes) -> None:
    """Encrypt any plaintext as the platform would, or give the text as it is."""
    key_bytes = 24 if platform == "baidu" else 16
    key, iv = bytes(range(key_bytes)), bytes(16)
    if how % 4:
        padded = text if how % 4 == 1 else _padded(platform, text, how)
        encrypted = base64.b64encode(_encrypt(key, iv, padded)).decode()
    else:
        encrypted = text.decode("utf-8", "surrogateescape")
    given = base64.b64encode(key).decode(), base64.b64encode(iv).decode()
    try:
        opened = decrypt(platform, *given, encrypted, _APP_ID)
    except GatewayError as error:
        must(error.code == "data_unreadable", "another refusal")
        must(MARKER not in str(error), "a refusal repeats the data")
        return
    must(isinstance(opened, dict), "no object")
    mark = opened.get("watermark")
    if platform in {"wechat", "douyin"}:
        must(isinstance(mark, dict) and mark.get("appid") == _APP_ID, "another app's data")
    if platform == "baidu":
        must(how % 4 in {1, 3}, "data without its app's key")


def _padded(platform: str, text: bytes, how: int) -> bytes:
    """Pad (PKCS#7) as the platform does; Baidu frames it as well, rightly with `how` 3."""
    block = 32 if platform == "baidu" else 16
    if platform == "baidu" and how % 4 == 3:
        text = bytes(16) + len(text).to_bytes(4, "big") + text + _APP_ID.encode()
    size = block - len(text) % block
    return text + bytes((size,)) * size


def _encrypt(key: bytes, iv: bytes, padded: bytes) -> bytes:
    cipher = Cipher(AES(key), CBC(iv)).encryptor()
    whole = padded[: len(padded) // 16 * 16]
    return cipher.update(whole) + cipher.finalize()


_MARK = MARKER.encode()
FUZZER = Fuzzer(
    name="replies",
    title="platforms' replies of every kind, and data that clients give to decrypt",
    modules=(
        *("gateway.platforms.wechat", "gateway.platforms.douyin", "gateway.platforms.baidu"),
        *("gateway.platforms.kuaishou", "gateway.platforms.replies", "gateway.platforms.base"),
        *("gateway.platforms.jsontext", "gateway.platforms.verdicts", "gateway.platforms.crypto"),
    ),
    check=check,
    seeds=(
        b'\x00\x00{"openid":"oA-1_b","unionid":"u1","session_key":"' + _MARK + b'"}',
        b'\x00\x00{"errcode":40029,"errmsg":"invalid code, rid: 65a0b1c2-0a1b2c3d-12345678"}',
        b'\x01\x00{"err_no":0,"err_tips":"success","data":{"openid":"a","anonymous_openid":"b",'
        b'"unionid":"c","session_key":"' + _MARK + b'"},"log_id":"20240101"}',
        b'\x01\x00{"err_no":40018,"err_tips":"bad code","log_id":"' + _MARK + b'"}',
        b'\x02\x00{"error":0,"openid":"a","anonymous_openid":"b","session_key":"k"}',
        b'\x02\x00{"error":1,"errcode":40018,"errmsg":"bad code","message":"' + _MARK + b'"}',
        b'\x03\x00{"err_no":0,"data":{"anonymous_openid":"guest-1"}}',
        b'\x04\x00{"openid":"a","session_key":"' + _MARK + b'"}',
        b'\x04\x06{"error":"invalid_grant","error_description":"' + _MARK + b'"}',
        b'\x05\x00{"errno":0,"data":{"open_id":"a","session_key":"k","unionid":"b"}}',
        b'\x05\x00{"errno":10010100,"error_description":"Param Key: X.Code failed"}',
        b'\x06\x00{"access_token":"' + _MARK + b'","expires_in":2592000}',
        b'\x07\x00{"result":1,"open_id":"a","union_id":"b","session_key":"k"}',
        b'\x07\x00{"result":100200105,"error":"invalid_grant","error_msg":"' + _MARK + b'"}',
        b"\x00\x09<html>busy</html>",
        b'\x80\x02{"phoneNumber":"1","watermark":{"appid":"wxfuzzfuzzfuzz","timestamp":1}}',
        b'\x81\x02{"watermark":{"appid":"other"}}',
        b'\x82\x02{"a":1}',
        b'\x83\x03{"a":"' + _MARK + b'"}',
        b"\x83\x01" + bytes(16) + b"\x00\x00\x00\x02{}wxfuzzfuzzfuzz" + b"\x1c" * 28,
        b"\x80\x00" + base64.b64encode(b"x" * 32),
    ),
    words=(
        *(b'"openid"', b'"open_id"', b'"unionid"', b'"union_id"', b'"session_key"', b'"data"'),
        *(b'"anonymous_openid"', b'"errcode"', b'"err_no"', b'"errno"', b'"error_code"'),
        *(b'"error"', b'"result"', b'"errmsg"', b'"error_description"', b'"log_id"', b'"rid: '),
        *(b'"access_token"', b'"expires_in"', b'"watermark"', b'"appid"', b'"wxfuzzfuzzfuzz"'),
        *(b"null", b"true", b"false", b"0", b"1", b'"0"', b"-1", b"0.0", b"1e400", b"NaN", b"1e3"),
        *(b"Infinity", b"{}", b"[]", b"{", b"}", b"[", b"]", b":", b",", b'""', b'"\\u002c"'),
        *(
            b"\\u0000",
            b"\\ud800",
            b"\\r\\n",
            b"\\u00e9",
            b"anonymous:",
            b"undefined",
            b"\xef\xbb\xbf",
        ),
        *(b"40029", b"40018", b"40125", b"45011", b"100200105", b"10010100", b"invalid_grant"),
        *(
            b"\x00\x00",
            b"\x01\x00",
            b"\x04\x00",
            b"\x05\x00",
            b"\x07\x00",
            b"\x80\x02",
            b"\x83\x03",
        ),
    ),
    max_bytes=512,
)
