"""`POST /login` and its alias path: one code becomes one session (design section 4).

Decides the order: count, read, find the app, exchange once, answer. How a login is read stands in
`login_fields`, who exchanges a code in `sessions.attempts`.
"""

import logging
from collections.abc import Callable

from aiohttp import web

from gateway.endpoints.apps import Apps
from gateway.endpoints.call import Call
from gateway.endpoints.limits import LoginLimits
from gateway.endpoints.login_fields import LoginFields, read_key, read_login
from gateway.errors import GatewayError
from gateway.metrics.catalogue import LOGINS
from gateway.metrics.counts import Counts
from gateway.platforms.base import (
    GUEST_PLATFORMS,
    Exchange,
    LoginCodes,
    PlatformApp,
    PlatformIdentity,
)
from gateway.sessions.attempt_records import Attempt, attempt_of
from gateway.sessions.attempts import LoginAttempts
from gateway.sessions.model import Session, Subject
from gateway.sessions.service import Issued, NewLogin

logger = logging.getLogger(__name__)

MOCK_CODE = "the code is a mock one"
"""What the platforms' devtools send without an app id: the same for everybody, again and again."""


class Login:
    """Exchanges a code at the platform and mints a session.

    `takes_mock`: the devtools' code may go out; in development only.
    """

    def __init__(
        self,
        apps: Apps,
        exchange: Exchange,
        limits: LoginLimits,
        attempts: LoginAttempts,
        show: Callable[[Issued], dict[str, object]],
        counts: Counts,
        *,
        takes_mock: bool,
    ) -> None:
        self._apps = apps
        self._exchange = exchange
        self._limits = limits
        self._attempts = attempts
        self._show = show
        self._counts = counts
        self._takes_mock = takes_mock

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
        except Exception:
            outcome = "internal_error"
            raise
        finally:  # the visit names an app only once it is known to be ours
            visit = call.visit
            self._counts.count(LOGINS, visit.platform or "", visit.app or "", outcome)

    async def _log_in(self, call: Call) -> tuple[web.Response, Session]:
        await self._limits.count_address(call.admitted.client.address)
        fields = read_login(call)
        app = self._apps.resolve(fields.app, fields.platform)
        call.visit.platform, call.visit.app = app.platform, app.name
        codes = _codes(app, fields)
        if not self._takes_mock and MOCK_CODE in (codes.code, codes.anonymous_code):
            raise GatewayError("code_invalid", "the devtools' mock code is for development")
        attempt = _attempt(app, codes, read_key(call))
        await self._limits.count_app(app.name)

        async def exchange() -> NewLogin:
            return _new_login(app, await self._ask_platform(app, codes))

        issued = await self._attempts.run(attempt, exchange)
        await call.new_session()  # never the one the client came with (S9)
        return web.json_response(self._show(issued)), issued.session

    async def _ask_platform(self, app: PlatformApp, codes: LoginCodes) -> PlatformIdentity:
        try:
            return await self._exchange(app, codes)
        except GatewayError as error:
            if error.code == "platform_config":  # every login fails until somebody acts
                logger.error("app %s: %s", app.name, error)  # noqa: TRY400 - no traceback: it may name a URL
            raise


def _codes(app: PlatformApp, fields: LoginFields) -> LoginCodes:
    """Choose what goes out. Raises: GatewayError bad_request, where there is no code."""
    guest = fields.anonymous_code if app.platform in GUEST_PLATFORMS else None
    if fields.code is None and guest is None:
        raise GatewayError("bad_request", "send the platform's login code in `code`")
    return LoginCodes(fields.code, guest)


def _attempt(app: PlatformApp, codes: LoginCodes, key: str | None) -> Attempt | None:
    """Name the attempt by every code that is good once only; None where none is (devtools)."""
    both = (("code", codes.code), ("anonymous_code", codes.anonymous_code))
    once = [(kind, code) for kind, code in both if code is not None and code != MOCK_CODE]
    if not once:
        return None
    return attempt_of(app.platform, app.app_id, once, key, app.timeout_s)


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
