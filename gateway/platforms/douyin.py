"""Douyin 抖音: code to session for mini-programs (v2) and mini-games (platforms.md 2.1).

A login may carry `code`, `anonymous_code` or both. Without `code` it is a guest's: no openid and
no session_key, whatever else the answer holds. It must not know requests, sessions or settings.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from gateway.errors import GatewayError
from gateway.platforms.api import ApiCaller, Call, Reply
from gateway.platforms.base import LoginCodes, PlatformApp, PlatformIdentity, check_openid
from gateway.platforms.replies import is_usable_code, nested, optional_id, session_key
from gateway.platforms.rotation import SecretRotation
from gateway.platforms.verdicts import (
    Row,
    Table,
    Verdict,
    check_success_status,
    read_number,
    refusal_by_number,
)

PROGRAM_ORIGIN = "https://developer.toutiao.com"
GAME_ORIGIN = "https://minigame.zijieapi.com"

# platforms.md 2.1. No access token is used at login, so the TOKEN rows end as settings errors.
ERRORS: Table = MappingProxyType(
    {
        -1: Row(Verdict.BUSY, "the platform failed"),
        40014: Row(Verdict.BAD, "a parameter is missing"),
        40015: Row(Verdict.CONFIG, "the app id is wrong"),
        40017: Row(Verdict.SECRET, "the secret is wrong"),
        40018: Row(
            Verdict.CODE,
            "the code is wrong, expired, used, or was minted for another app "
            "(if every login fails so, the app id is not the client's)",
        ),
        40019: Row(Verdict.CODE, "the anonymous code is wrong, expired or used"),
        40020: Row(Verdict.CONFIG, "the grant type is wrong"),
        28001003: Row(Verdict.TOKEN, "the access token is invalid"),
        28001008: Row(Verdict.TOKEN, "the access token has expired"),
        28001004: Row(Verdict.BAD, "the id of the user is invalid"),
        28001005: Row(Verdict.BUSY, "the platform is busy"),
        28001006: Row(Verdict.BUSY, "the platform's network failed"),
        28001007: Row(Verdict.BAD, "a parameter is wrong"),
        28001038: Row(Verdict.BAD, "a parameter is wrong"),
        28001014: Row(Verdict.CONFIG, "the app lacks this capability"),
        28001016: Row(Verdict.CONFIG, "the app is banned or offline"),
        28001018: Row(Verdict.CONFIG, "the app has not asked for this capability"),
        28001019: Row(Verdict.CONFIG, "the app's capability is banned"),
        28001045: Row(Verdict.BLOCKED, "the user has closed the account"),
        28001046: Row(Verdict.BLOCKED, "the user is banned"),
        28001047: Row(Verdict.BLOCKED, "the user's account is private"),
        28001052: Row(Verdict.RATE, "stopped by risk control"),
        28003017: Row(Verdict.DAY, "the quota is used up"),
        28003018: Row(Verdict.RATE, "called too often"),
        28005139: Row(Verdict.RATE, "called too often"),
        28005187: Row(Verdict.CODE, "the code has expired"),
    }
)
# A date, a time, then capitals and digits: no secret or code looks like this.
_LOG_ID = re.compile(r"20[0-9]{12}[0-9A-F]{10,40}")


class DouyinExchange:
    """Exchanges one or both codes at Douyin; implements `Exchange`."""

    def __init__(self, caller: ApiCaller, rotation: SecretRotation) -> None:
        self._caller = caller
        self._rotation = rotation

    async def __call__(self, app: PlatformApp, codes: LoginCodes) -> PlatformIdentity:
        """Raises: GatewayError."""
        check_codes(codes)
        is_game = app.kind == "mini-game"
        build, read = (call_game, read_game) if is_game else (call_program, read_program)
        return await self._rotation.ask(
            self._caller.line(app),
            lambda secret: build(app, codes, secret),
            lambda reply: read(reply, codes),
        )


def check_codes(codes: LoginCodes) -> None:
    """Require at least one code, and no unusable one.

    Raises: GatewayError (bad_request).
    """
    sent = [code for code in (codes.code, codes.anonymous_code) if code]
    if not sent or not all(map(is_usable_code, sent)):
        raise GatewayError("bad_request", "`code` and `anonymous_code` are missing or are no codes")


def call_program(app: PlatformApp, codes: LoginCodes, secret: str) -> Call:
    """Build the mini-program's call: JSON."""
    document = _parameters(app, codes, secret)
    return Call("POST", PROGRAM_ORIGIN, "/api/apps/v2/jscode2session", document=document)


def call_game(app: PlatformApp, codes: LoginCodes, secret: str) -> Call:
    """Build the mini-game's call: everything in the query."""
    query = _parameters(app, codes, secret)
    return Call("GET", GAME_ORIGIN, "/mgplatform/api/apps/jscode2session", query=query)


def _parameters(app: PlatformApp, codes: LoginCodes, secret: str) -> dict[str, str]:
    """A code that we do not have is left out rather than sent empty."""
    parameters = {"appid": app.app_id, "secret": secret}
    if codes.code:
        parameters["code"] = codes.code
    if codes.anonymous_code:
        parameters["anonymous_code"] = codes.anonymous_code
    return parameters


def read_program(reply: Reply, codes: LoginCodes) -> PlatformIdentity:
    """Read the mini-program's answer: `err_no` must be 0, the ids are under `data`.

    Raises: GatewayError.
    """
    number = reply.body.get("err_no")
    if read_number(number) != 0:
        raise _refusal(reply, number)
    check_success_status(reply)
    return _read_ids(nested(reply.body), codes)


def read_game(reply: Reply, codes: LoginCodes) -> PlatformIdentity:
    """Read the mini-game's answer: `error` must be 0; `errcode` tells more where it is there.

    Raises: GatewayError.
    """
    error, errcode = reply.body.get("error"), reply.body.get("errcode")
    if errcode is not None and read_number(errcode) != 0:
        raise _refusal(reply, errcode)
    if read_number(error) != 0:
        raise _refusal(reply, error)
    check_success_status(reply)
    return _read_ids(reply.body, codes)


def _refusal(reply: Reply, number: object) -> GatewayError:
    if number is None:
        check_success_status(reply)
    return refusal_by_number("douyin", number, ERRORS, _log_id(reply.body))


def _read_ids(ids: Mapping[str, object], codes: LoginCodes) -> PlatformIdentity:
    guest = ids.get("anonymous_openid")
    if not codes.code:
        return PlatformIdentity(
            openid=None, anonymous_openid=check_openid(guest, "anonymous_openid")
        )
    return PlatformIdentity(
        openid=check_openid(ids.get("openid")),
        unionid=optional_id(ids.get("unionid"), "unionid"),
        anonymous_openid=optional_id(guest, "anonymous_openid") if codes.anonymous_code else None,
        session_key=session_key(ids.get("session_key")),
    )


def _log_id(body: Mapping[str, object]) -> str:
    """Find Douyin's request id, which its support asks for."""
    value = body.get("log_id")
    return value if isinstance(value, str) and _LOG_ID.fullmatch(value) else ""
