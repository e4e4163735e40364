"""`POST /login` and its alias path: one code becomes one session (design section 4)."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from gateway.endpoints.apps import Apps
from gateway.endpoints.body import read_form
from gateway.endpoints.call import Call
from gateway.errors import GatewayError
from gateway.metrics.catalogue import LOGINS
from gateway.metrics.counts import Counts
from gateway.platforms.base import Exchange, LoginCodes, PlatformApp, PlatformIdentity
from gateway.sessions.model import Session, Subject
from gateway.sessions.service import Issued, NewLogin, SessionService

logger = logging.getLogger(__name__)
MAX_FIELD_CHARACTERS = 2048
"""Codes are 32 to some hundred characters; Baidu's federated ones are the longest."""

_ABSENT = (None, "")
"""Null and the empty text mean that a field was not sent."""
_CODES = ("code", "anonymous_code")


@dataclass(frozen=True, slots=True)
class LoginFields:
    """What a login says, checked: text or absent."""

    app: str | None
    platform: str | None
    code: str | None
    anonymous_code: str | None


class Login:
    """Exchanges a code at the platform and mints a session."""

    def __init__(
        self,
        apps: Apps,
        exchange: Exchange,
        sessions: SessionService,
        show: Callable[[Session], dict[str, object]],
        counts: Counts,
    ) -> None:
        self._apps = apps
        self._exchange = exchange
        self._sessions = sessions
        self._show = show
        self._counts = counts

    async def __call__(self, call: Call) -> tuple[web.Response, Session]:
        """Log in, and count how it ended. Raises: GatewayError (section 4, "Login rules")."""
        outcome = "abandoned"
        try:
            answer = await self._log_in(call)
            outcome = "ok"
            return answer
        except GatewayError as error:
            outcome = error.code
            raise
        finally:  # the visit names an app only once it is known to be ours
            visit = call.visit
            self._counts.count(LOGINS, visit.platform or "", visit.app or "", outcome)

    async def _log_in(self, call: Call) -> tuple[web.Response, Session]:
        fields = _read(call)
        app = self._apps.resolve(fields.app, fields.platform)
        call.visit.platform, call.visit.app = app.platform, app.name
        codes = LoginCodes(fields.code, fields.anonymous_code)
        if codes.code is None and codes.anonymous_code is None:
            raise GatewayError("bad_request", "send the platform's login code in `code`")
        identity = await self._ask_platform(app, codes)
        issued = await self._sessions.create(_new_login(app, identity))
        await call.new_session()  # never the one the client came with (S9)
        return web.json_response(self._describe(issued)), issued.session

    async def _ask_platform(self, app: PlatformApp, codes: LoginCodes) -> PlatformIdentity:
        try:
            return await self._exchange(app, codes)
        except GatewayError as error:
            if error.code == "platform_config":  # every login fails until somebody acts
                logger.error("app %s: %s", app.name, error)  # noqa: TRY400 - no traceback: it may name a URL
            raise

    def _describe(self, issued: Issued) -> dict[str, object]:
        return {"token": issued.token, "token_type": "Bearer", **self._show(issued.session)}


def _read(call: Call) -> LoginFields:
    fields = {name: value for name, value in call.fields.items() if value not in _ABSENT}
    if call.path_fields:
        query = _read_query(call.admitted.target.query or "")
        _merge(fields, {name: query[name] for name in _CODES if query.get(name)})
        renamed = {"app_id": "app"}
        _merge(fields, {renamed.get(name, name): text for name, text in call.path_fields.items()})
    return LoginFields(
        app=_text(fields, "app"),
        platform=_text(fields, "platform"),
        code=_text(fields, "code"),
        anonymous_code=_text(fields, "anonymous_code"),
    )


def _read_query(query: str) -> Mapping[str, object]:
    """Read a query that clients joined by hand: a plus is a plus, for no code holds a space."""
    return read_form(query.replace("+", "%2B"))


def _merge(fields: dict[str, object], more: Mapping[str, object]) -> None:
    for name, value in more.items():
        if fields.setdefault(name, value) != value:
            raise GatewayError("bad_request", f"`{name}` is said twice, differently")


def _text(fields: Mapping[str, object], name: str) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_FIELD_CHARACTERS or not value.isprintable():
        raise GatewayError("bad_request", f"`{name}` must be a text of printable characters")
    return value


def _new_login(app: PlatformApp, identity: PlatformIdentity) -> NewLogin:
    if identity.openid is not None:
        subject = Subject(app.platform, app.app_id, "user", identity.openid)
    elif identity.anonymous_openid is not None:
        subject = Subject(app.platform, app.app_id, "anonymous", identity.anonymous_openid)
    else:
        raise GatewayError("platform_error", "the platform named nobody")
    return NewLogin(
        app=app.name,
        subject=subject,
        openid=identity.openid,
        unionid=identity.unionid if app.keeps_unionid else None,
        anonymous_openid=identity.anonymous_openid,
        session_key=identity.session_key,
    )
