"""`/_sim/…`: how a test or a developer moves the simulated world (design section 11).

It reads JSON whatever its content type, so that plain curl serves, and answers 400 with what is
wrong. It must not know how a platform answers.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import cast

from aiohttp import web

from gateway.simulator.calls import CALL_KINDS, CallKind, Number
from gateway.simulator.codes import CODE_LIFE_S, PHONE_CODE_LIFE_S, CodeKind, Minted
from gateway.simulator.faults import (
    DEFAULT_SLOW_S,
    KINDS,
    MAX_SLOW_S,
    MAX_TIMES,
    NUMBERED,
    Fault,
    Faults,
)
from gateway.simulator.fields import BadInputError, Fields, read_fields
from gateway.simulator.sealing import seal
from gateway.simulator.shapes import anonymous_openid, new_code, openid
from gateway.simulator.tally import Tally
from gateway.simulator.world import PLATFORMS, World

Handler = Callable[[web.Request], Awaitable[web.Response]]
Numbers = Mapping[str, Mapping[str, Number]]

PHONE_PLATFORMS = ("wechat", "douyin")
"""Where a phone number is got with a code; the others seal it for the client."""

PHONE_NUMBER = "13800138000"


class Control:
    """The simulator's own endpoints. `numbers`: what each platform says for each named fault."""

    def __init__(self, world: World, faults: Faults, tally: Tally, numbers: Numbers) -> None:
        self._world = world
        self._faults = faults
        self._tally = tally
        self._numbers = numbers

    def routes(self) -> list[web.RouteDef]:
        """List the paths served."""
        return [
            web.post("/_sim/codes", _refusing(self.codes)),
            web.post("/_sim/faults", _refusing(self.faults)),
            web.delete("/_sim/faults", _refusing(self.clear_faults)),
            web.post("/_sim/encrypt", _refusing(self.encrypt)),
            web.get("/_sim/calls", _refusing(self.calls), allow_head=False),
        ]

    # Codes

    async def codes(self, request: web.Request) -> web.Response:
        """Hand out a code as the client's login call would.

        Takes `platform`, `app_id`, `user`; optional `kind` (login or phone), `phone_number`,
        `federated` (Baidu), `device` (Douyin; the user when absent), `unionid` (this user has one).
        """
        fields = await read_fields(request)
        platform, app_id = self._app(fields)
        user = fields.text("user")
        kind = fields.one_of("kind", ("login", "phone"), "login")
        told = {"openid": openid(platform, app_id, user)}
        if kind == "phone":
            return web.json_response({**self._phone_code(fields, platform, app_id, user), **told})
        federated = fields.flag("federated")
        if federated and platform != "baidu":
            raise BadInputError("federated: only Baidu has codes with an @")
        has_unionid = fields.flag("unionid")
        code = self._mint(platform, app_id, user, has_unionid=has_unionid, federated=federated)
        told = {"code": code, **told}
        if platform == "douyin":
            told |= self._anonymous_code(app_id, fields.text("device", user))
        return web.json_response(told)

    def _phone_code(self, fields: Fields, platform: str, app_id: str, user: str) -> dict[str, str]:
        if platform not in PHONE_PLATFORMS:
            raise BadInputError(f"kind: {platform} has no phone codes")
        number = fields.text("phone_number", PHONE_NUMBER)
        if not (number.isascii() and number.isdigit() and len(number) <= 20):
            raise BadInputError("phone_number: 1 to 20 digits")
        code = self._mint(platform, app_id, user, kind="phone", phone_number=number)
        return {"code": code, "phone_number": number}

    def _anonymous_code(self, app_id: str, device: str) -> dict[str, str]:
        return {
            "anonymous_code": self._mint("douyin", app_id, device, kind="anonymous"),
            "anonymous_openid": anonymous_openid(app_id, device),
        }

    def _mint(
        self,
        platform: str,
        app_id: str,
        user: str,
        *,
        kind: CodeKind = "login",
        has_unionid: bool = False,
        phone_number: str = "",
        federated: bool = False,
    ) -> str:
        life_s = PHONE_CODE_LIFE_S if kind == "phone" else CODE_LIFE_S[platform]
        ends_at = self._world.clock() + life_s
        minted = Minted(platform, app_id, user, kind, ends_at, has_unionid, phone_number)
        code = new_code(platform, federated=federated)
        self._world.codes.add(code, minted)
        return code

    # Faults

    async def faults(self, request: web.Request) -> web.Response:
        """Let the next calls of a platform go wrong.

        Takes `platform`, `kind`; optional `times` (1), `call` (login), `number` (for number and
        string_number), `seconds` (for slow: 30, at most 60).
        """
        fields = await read_fields(request)
        platform = fields.one_of("platform", PLATFORMS)
        kind = fields.one_of("kind", KINDS)
        call = cast("CallKind", fields.one_of("call", CALL_KINDS, "login"))
        fault = Fault(
            kind,
            fields.whole("times", 1, MAX_TIMES, default=1),
            self._number(fields, platform, kind),
            fields.seconds("seconds", MAX_SLOW_S, default=DEFAULT_SLOW_S),
        )
        if not self._faults.add(platform, call, fault):
            raise BadInputError("too many faults wait already; DELETE /_sim/faults clears them")
        return web.json_response({"platform": platform, "kind": kind, "times": fault.times})

    async def clear_faults(self, _request: web.Request) -> web.Response:
        """Let all calls go right again."""
        self._faults.clear()
        return web.Response(status=204)

    def _number(self, fields: Fields, platform: str, kind: str) -> Number | None:
        if kind in NUMBERED:
            number = self._numbers[platform].get(kind)
            if number is None:
                raise BadInputError(f"kind: no number of {platform}'s for {kind} is known")
            return number
        if kind in ("number", "string_number"):
            return fields.number("number", is_needed=kind == "number")
        return None

    # Sealed data

    async def encrypt(self, request: web.Request) -> web.Response:
        """Seal data for a user's client, as the platform does.

        Takes `platform`, `app_id`, `user`, `data` (an object); optional `generation`: 0 is the
        newest session_key, 1 the one before.
        """
        fields = await read_fields(request)
        platform, app_id = self._app(fields)
        user, data = fields.text("user"), fields.mapping("data")
        person = self._world.users.find(platform, app_id, openid(platform, app_id, user))
        keys = person.session_keys if person else ()
        if not keys:
            raise BadInputError("user: has not logged in to this app")
        generation = fields.whole("generation", 0, len(keys) - 1, default=0)
        now_s = int(self._world.clock())
        return web.json_response(seal(platform, app_id, keys[generation], data, now_s))

    async def calls(self, _request: web.Request) -> web.Response:
        """Tell how often each platform was called, and with which codes."""
        return web.json_response(self._tally.shown())

    def _app(self, fields: Fields) -> tuple[str, str]:
        platform, app_id = fields.one_of("platform", PLATFORMS), fields.text("app_id")
        if not self._world.apps.has(platform, app_id):
            raise BadInputError("app_id: this platform knows no such app")
        return platform, app_id


def _refusing(handler: Handler) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except BadInputError as error:
            return web.json_response({"error": str(error)}, status=400)

    return handle
