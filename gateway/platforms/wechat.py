"""WeChat 微信: code2Session for mini-programs and mini-games alike (platforms.md 1.1).

It decides where WeChat puts things and what its numbers mean; it must not know requests,
sessions or settings.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from gateway.platforms.api import ApiCaller, Call, Reply
from gateway.platforms.base import LoginCodes, PlatformApp, PlatformIdentity, check_openid
from gateway.platforms.replies import optional_id, require_code, session_key
from gateway.platforms.rotation import SecretRotation
from gateway.platforms.verdicts import (
    Row,
    Table,
    Verdict,
    check_success_status,
    read_number,
    refusal_by_number,
)

ORIGIN = "https://api.weixin.qq.com"

# platforms.md 1.1. No access token is used at login, so the TOKEN rows end as settings errors.
ERRORS: Table = MappingProxyType(
    {
        -1: Row(Verdict.BUSY, "the platform is busy"),
        40029: Row(
            Verdict.CODE,
            "the code has expired or was minted for another app "
            "(if every login fails so, the app id is not the client's)",
        ),
        40163: Row(Verdict.CODE, "the code was used before"),
        41008: Row(Verdict.BAD, "the code is missing"),
        40226: Row(Verdict.BLOCKED, "a high-risk user, whose login is blocked"),
        50002: Row(Verdict.BLOCKED, "the user or the app is restricted"),
        45011: Row(Verdict.RATE, "the quota of this minute is used up"),
        45009: Row(Verdict.DAY, "the quota of this day is used up"),
        40013: Row(Verdict.CONFIG, "the app id is invalid"),
        41002: Row(Verdict.CONFIG, "the app id is missing"),
        41004: Row(Verdict.CONFIG, "the secret is missing"),
        40164: Row(Verdict.CONFIG, "our address is not on the app's IP list"),
        40243: Row(Verdict.CONFIG, "the secret is frozen"),  # ecosystem.md 8.2
        48001: Row(Verdict.CONFIG, "the API is not authorised for this app"),
        48004: Row(Verdict.CONFIG, "the API is forbidden for this app"),
        61003: Row(Verdict.CONFIG, "the app is not authorised to the component"),
        40125: Row(Verdict.SECRET, "the secret is invalid"),
        40001: Row(Verdict.SECRET, "the secret is wrong"),
        40014: Row(Verdict.TOKEN, "the access token is invalid"),
        41001: Row(Verdict.TOKEN, "the access token is missing"),
        42001: Row(Verdict.TOKEN, "the access token has expired"),
    }
)
_REQUEST_ID = re.compile(r"\brid: ([0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8})\b")


class WechatExchange:
    """Exchanges a code at WeChat; implements `Exchange`."""

    def __init__(self, caller: ApiCaller, rotation: SecretRotation) -> None:
        self._caller = caller
        self._rotation = rotation

    async def __call__(self, app: PlatformApp, codes: LoginCodes) -> PlatformIdentity:
        """Raises: GatewayError."""
        require_code(codes)
        return await self._rotation.ask(
            self._caller.line(app), lambda secret: code2session(app, codes, secret), read
        )


def code2session(app: PlatformApp, codes: LoginCodes, secret: str) -> Call:
    """Build the call: everything in the query, no body."""
    query = {
        "appid": app.app_id,
        "secret": secret,
        "js_code": require_code(codes),
        "grant_type": "authorization_code",
    }
    return Call("GET", ORIGIN, "/sns/jscode2session", query=query)


def read(reply: Reply) -> PlatformIdentity:
    """Read the answer: `errcode` is absent or 0 on success.

    Raises: GatewayError.
    """
    body = reply.body
    errcode = body.get("errcode")
    if errcode is not None and read_number(errcode) != 0:
        raise refusal_by_number("wechat", errcode, ERRORS, _request_id(body))
    check_success_status(reply)
    return PlatformIdentity(
        openid=check_openid(body.get("openid")),
        unionid=optional_id(body.get("unionid"), "unionid"),
        session_key=session_key(body.get("session_key")),
    )


def _request_id(body: Mapping[str, object]) -> str:
    """Find WeChat's request id, which its support asks for, in the tail of the message."""
    message = body.get("errmsg")
    found = _REQUEST_ID.search(message) if isinstance(message, str) else None
    return found[1] if found else ""
