"""Kuaishou 快手: code to session for mini-programs and mini-games (platforms.md 4.1).

Success is `result` 1, not 0. It must not know requests, sessions or settings.
"""

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

ORIGIN = "https://open.kuaishou.com"
SUCCESS = 1

# platforms.md 4.1; the general OAuth table, assumed there to hold for this call. No access
# token is used at login, so the TOKEN rows end as settings errors.
ERRORS: Table = MappingProxyType(
    {
        # The code is never empty here, so this is about our settings.
        100200100: Row(Verdict.CONFIG, "a parameter is missing or wrong"),
        100200101: Row(Verdict.SECRET, "the app id or its secret is wrong, or the app is not live"),
        100200102: Row(Verdict.TOKEN, "access is denied"),
        100200103: Row(Verdict.CONFIG, "the response type is wrong"),
        100200104: Row(Verdict.CONFIG, "the grant type is wrong"),
        100200105: Row(
            Verdict.CODE,
            "the code is wrong, expired, used, or was minted for another app "
            "(if every login fails so, the app id is not the client's)",
        ),
        100200106: Row(Verdict.CODE, "the scope is wrong, or the user cancelled"),
        100200107: Row(Verdict.BAD, "the id of the user is invalid"),
        100200108: Row(Verdict.TOKEN, "the access token has expired"),
        100200109: Row(Verdict.CODE, "the user cancelled"),
        100200110: Row(Verdict.CODE, "the user's permission has expired"),
        100200111: Row(Verdict.CODE, "the user never gave permission"),
        100200113: Row(Verdict.TOKEN, "the refresh token has expired"),
        100200500: Row(Verdict.BUSY, "the platform failed"),
        # Kwai mini-games (overseas), whose numbers do not collide with the others.
        100: Row(Verdict.BAD, "a parameter is missing"),
        240001: Row(Verdict.CODE, "the code is invalid"),
        240002: Row(Verdict.SECRET, "the secret is invalid"),
    }
)


class KuaishouExchange:
    """Exchanges a code at Kuaishou; implements `Exchange`."""

    def __init__(self, caller: ApiCaller, rotation: SecretRotation) -> None:
        self._caller = caller
        self._rotation = rotation

    async def __call__(self, app: PlatformApp, codes: LoginCodes) -> PlatformIdentity:
        """Raises: GatewayError."""
        require_code(codes)
        build = call_game if app.kind == "mini-game" else call_program
        return await self._rotation.ask(
            self._caller.line(app), lambda secret: build(app, codes, secret), read
        )


def call_program(app: PlatformApp, codes: LoginCodes, secret: str) -> Call:
    """Build the mini-program's call: a form."""
    form = {"app_id": app.app_id, "app_secret": secret, "js_code": require_code(codes)}
    return Call("POST", ORIGIN, "/oauth2/mp/code2session", form=form)


def call_game(app: PlatformApp, codes: LoginCodes, secret: str) -> Call:
    """Build the mini-game's call: everything in the query."""
    query = {
        "app_id": app.app_id,
        "app_secret": secret,
        "js_code": require_code(codes),
        "grant_type": "authorization_code",
    }
    return Call("GET", ORIGIN, "/game/minigame/jscode2session", query=query)


def read(reply: Reply) -> PlatformIdentity:
    """Read the answer of either kind.

    Raises: GatewayError.
    """
    body = reply.body
    result = body.get("result")
    if result is None or read_number(result) == SUCCESS:
        check_success_status(reply)
    if read_number(result) != SUCCESS:
        raise refusal_by_number("kuaishou", result, ERRORS)
    return PlatformIdentity(
        openid=check_openid(body.get("open_id"), "open_id"),
        unionid=optional_id(body.get("union_id"), "union_id"),
        session_key=session_key(body.get("session_key")),
    )
