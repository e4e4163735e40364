"""Baidu 百度: the old jscode2sessionkey and the new (v2) getsessionkey (platforms.md 3.1, 3.2).

The app id is the App Key everywhere here. v2 needs an app access token; when the platform refuses
that one, it has not looked at the code, so the token is renewed and the call made once more.
It must not know requests, sessions or settings.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.platforms.api import ApiCaller, Call, Reply
from gateway.platforms.base import LoginCodes, PlatformApp, PlatformIdentity, check_openid
from gateway.platforms.replies import nested, optional_id, require_code, session_key
from gateway.platforms.rotation import SecretRotation
from gateway.platforms.tokens import AppToken, AppTokens
from gateway.platforms.verdicts import (
    UNLISTED,
    Row,
    Table,
    TokenRefusedError,
    Verdict,
    check_success_status,
    read_number,
    read_word,
    refusal,
    refusal_by_number,
)

OLD_ORIGIN = "https://spapi.baidu.com"
ORIGIN = "https://openapi.baidu.com"
SCOPE = "smartapp_snsapi_base"
MAX_TOKEN_BYTES = 2048
UNKNOWN_LIFE_S = 3600  # where expires_in cannot be read; the page's samples say a day and a month
LONGEST_LIFE_S = 30 * 86400  # platforms.md 3.2: about one month

# platforms.md 3.1: the numbers of the OpenAPI gateway, in `error_code`.
ERROR_CODES: Table = MappingProxyType(
    {
        1: Row(Verdict.BUSY, "an unknown error"),
        2: Row(Verdict.BUSY, "the service is not available for a moment"),
        4: Row(Verdict.RATE, "the limit of calls is reached"),
        17: Row(Verdict.DAY, "the limit of this day is reached"),
        18: Row(Verdict.RATE, "called too often"),
        19: Row(Verdict.DAY, "the limit of all calls is reached"),
        5: Row(Verdict.CONFIG, "our address is not authorised"),
        6: Row(Verdict.CONFIG, "the app has no permission"),
        100: Row(Verdict.BAD, "a parameter is invalid"),
        101: Row(Verdict.CONFIG, "the app key is invalid"),
        110: Row(Verdict.TOKEN, "the access token is invalid"),
        111: Row(Verdict.TOKEN, "the access token has expired"),
    }
)
# The same page: the words of OAuth (RFC 6749 section 5.2), in `error`.
ERROR_WORDS: Mapping[str, Row] = MappingProxyType(
    {
        "invalid_grant": Row(
            Verdict.CODE,
            "the code is invalid, expired, used, or was minted for another app "
            "(if every login fails so, the app key is not the client's)",
        ),
        "invalid_client": Row(Verdict.SECRET, "the app key or its secret is wrong"),
        "unauthorized_client": Row(Verdict.CONFIG, "the app may not do this"),
        "unsupported_grant_type": Row(Verdict.CONFIG, "the grant type is wrong"),
        "invalid_scope": Row(Verdict.CONFIG, "the scope is wrong"),
        "invalid_request": Row(Verdict.BAD, "a parameter is missing or malformed"),
        "expired_token": Row(Verdict.TOKEN, "the token has expired"),
    }
)
# The same page: errno 10010100 names the parameter in its description, by the first that matches.
PARAMETER_INVALID = 10010100
PARAMETERS: tuple[tuple[re.Pattern[str], Row], ...] = (
    (re.compile(r"\.ClientID\b"), Row(Verdict.CONFIG, "the app key is invalid")),
    (re.compile(r"\.Sk\b"), Row(Verdict.SECRET, "the secret is invalid")),
    (re.compile(r"\.Code\b"), Row(Verdict.BAD, "the code is malformed")),
)


class BaiduOldExchange:
    """Exchanges a code at jscode2sessionkey; implements `Exchange`."""

    def __init__(self, caller: ApiCaller, rotation: SecretRotation) -> None:
        self._caller = caller
        self._rotation = rotation

    async def __call__(self, app: PlatformApp, codes: LoginCodes) -> PlatformIdentity:
        """Raises: GatewayError."""
        require_code(codes)
        return await self._rotation.ask(
            self._caller.line(app), lambda secret: call_old(app, codes, secret), read_old
        )


class BaiduV2Exchange:
    """Exchanges a code at getsessionkey, with an app access token; implements `Exchange`."""

    def __init__(self, caller: ApiCaller, rotation: SecretRotation, clock: Clock) -> None:
        self._caller = caller
        self._tokens = AppTokens(rotation, clock, call_token, read_token)

    async def __call__(self, app: PlatformApp, codes: LoginCodes) -> PlatformIdentity:
        """Raises: GatewayError."""
        require_code(codes)
        line = self._caller.line(app)
        token = await self._tokens.get(line)
        try:
            return read_v2(await line.ask(call_v2(codes, token)))
        except TokenRefusedError:
            pass
        token = await self._tokens.get(line, instead_of=token)
        return read_v2(await line.ask(call_v2(codes, token)))


# Calls


def call_old(app: PlatformApp, codes: LoginCodes, secret: str) -> Call:
    """Build the old call: a form."""
    form = {"code": require_code(codes), "client_id": app.app_id, "sk": secret}
    return Call("POST", OLD_ORIGIN, "/oauth/jscode2sessionkey", form=form)


def call_v2(codes: LoginCodes, token: AppToken) -> Call:
    """Build the v2 call: everything in the query, and an empty form as the vendor's SDKs send."""
    query = {"access_token": token.value, "code": require_code(codes)}
    return Call("POST", ORIGIN, "/rest/2.0/smartapp/getsessionkey", query=query, form={})


def call_token(app: PlatformApp, secret: str) -> Call:
    """Build the call for an app access token: a form, which keeps the secret out of the URL."""
    form = {
        "grant_type": "client_credentials",
        "client_id": app.app_id,
        "client_secret": secret,
        "scope": SCOPE,
    }
    return Call("POST", ORIGIN, "/oauth/2.0/token", form=form)


# Answers


def read_old(reply: Reply) -> PlatformIdentity:
    """Read the old answer: flat; success is an openid without an error.

    Raises: GatewayError.
    """
    _check(reply)
    return PlatformIdentity(
        openid=check_openid(reply.body.get("openid")),
        unionid=optional_id(reply.body.get("unionid"), "unionid"),
        session_key=session_key(reply.body.get("session_key")),
    )


def read_v2(reply: Reply) -> PlatformIdentity:
    """Read the v2 answer: `errno` must be 0, the ids are under `data`.

    Raises: GatewayError.
    """
    _check(reply)
    if read_number(reply.body.get("errno")) != 0:
        raise refusal("baidu", None)
    ids = nested(reply.body)
    return PlatformIdentity(
        openid=check_openid(ids.get("open_id"), "open_id"),
        unionid=optional_id(ids.get("unionid"), "unionid"),
        session_key=session_key(ids.get("session_key")),
    )


def read_token(reply: Reply) -> AppToken:
    """Read the answer to the token call. Its errors are never the client's fault.

    Raises: GatewayError.
    """
    error = _find_error(reply)
    if error is not None and error.code in ("code_invalid", "bad_request"):
        row = Row(Verdict.CONFIG, "the call for an access token is refused")
        raise refusal("baidu", error.platform_code, row)
    _check(reply)
    value = reply.body.get("access_token")
    if not isinstance(value, str) or not _is_token(value):
        raise GatewayError("platform_error", "baidu: the access token is missing or not usable")
    life_s = read_number(reply.body.get("expires_in"))
    life_s = UNKNOWN_LIFE_S if life_s is None else life_s
    return AppToken(value, min(life_s, LONGEST_LIFE_S))


def _is_token(value: str) -> bool:
    return 0 < len(value) <= MAX_TOKEN_BYTES and all("!" <= letter <= "~" for letter in value)


def _check(reply: Reply) -> None:
    error = _find_error(reply)
    if error is not None:
        raise error
    check_success_status(reply)


def _find_error(reply: Reply) -> GatewayError | None:
    """Look in the three places where Baidu puts an error; the gateway's comes first."""
    body = reply.body
    code, errno, error = body.get("error_code"), body.get("errno"), body.get("error")
    if code is not None and read_number(code) != 0:
        return refusal_by_number("baidu", code, ERROR_CODES)
    if errno is not None and read_number(errno) != 0:
        return _refusal_by_errno(read_number(errno), body.get("error_description"))
    if error not in (None, "") and read_number(error) != 0:
        word = read_word(error)
        return refusal("baidu", word, ERROR_WORDS.get(word or "", UNLISTED))
    return None


def _refusal_by_errno(errno: int | None, description: object) -> GatewayError:
    if errno == PARAMETER_INVALID and isinstance(description, str):
        for pattern, row in PARAMETERS:
            if pattern.search(description):
                return refusal("baidu", errno, row)
    return refusal("baidu", errno)
