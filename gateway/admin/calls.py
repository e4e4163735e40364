"""What the calls of the admin API do with sessions and subjects (design section 12).

Who may call, and what becomes of a refusal, is `api`'s to decide.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from aiohttp import web

from gateway.admin.audit import RECORD
from gateway.admin.subjects import (
    BLOCK_FIELDS,
    SUBJECT_FIELDS,
    check_names,
    name_of_app,
    read_block,
    read_object,
    read_subjects,
    read_text,
)
from gateway.endpoints.apps import Apps
from gateway.errors import GatewayError
from gateway.sessions.model import Session, Subject
from gateway.sessions.service import SessionService
from gateway.sessions.store import REVOKED
from gateway.sessions.token import is_session_key

T = TypeVar("T")
DEFAULT_PAGE = 100
MAX_PAGE = 1000
FILTERS = frozenset({"platform", "app", "openid", "limit", "after"})
BODY_S = 10.0
"""An operator's request is one packet; who takes longer only holds a connection."""


class SessionCalls:
    """The calls, each a handler of aiohttp's. `body_s` is how long a body may take to arrive."""

    def __init__(self, sessions: SessionService, apps: Apps, body_s: float = BODY_S) -> None:
        self._sessions = sessions
        self._apps = apps
        self._body_s = body_s

    async def check_ready(self) -> None:
        """Return when sessions can be looked up. Raises: GatewayError store_unavailable."""
        await self._sessions.check_ready()

    # -- sessions -------------------------------------------------------------------------------

    async def list_sessions(self, request: web.Request) -> web.StreamResponse:
        """`GET sessions`: some of those that live, and where to go on."""
        query = request.query
        platform, app = read_text(query, "platform"), read_text(query, "app")
        page = await self._sessions.find(
            platform=platform,
            app=None if app is None else name_of_app(self._apps, app, platform),
            openid=read_text(query, "openid"),
            limit=_limit(query),
            after=read_text(query, "after"),
        )
        found = [describe(session) for session in page.sessions]
        return web.json_response({"sessions": found, "after": page.after})

    async def end(self, request: web.Request) -> web.StreamResponse:
        """`DELETE sessions/{id}`: end a session and what it was renewed from or to."""
        key = request.match_info["id"]
        if not is_session_key(key):  # a token, say: it reaches neither the store nor a log
            raise GatewayError("route_not_found", "no session lives under this id")
        subject = await self._subject_of(key)
        if subject is not None:
            request[RECORD].tell_subjects([subject])
        ended = await self._sessions.end(key, REVOKED)
        request[RECORD].tell("ended", len(ended))
        if not ended:
            raise GatewayError("route_not_found", "no session lives under this id")
        return web.Response(status=204)

    async def _subject_of(self, key: str) -> Subject | None:
        """Whose session this is, for the audit log; to end it nobody has to know."""
        try:
            return (await self._sessions.living(key)).subject
        except GatewayError:
            return None

    # -- subjects -------------------------------------------------------------------------------

    async def end_subject(self, request: web.Request) -> web.StreamResponse:
        """`POST subjects/revoke`: end all sessions of a subject."""
        fields = read_object(await self._read_body(request))
        check_names(list(fields), SUBJECT_FIELDS)
        subjects = self._subjects(request, fields)
        return await self._end_each(request, subjects, self._sessions.end_subject)

    async def block(self, request: web.Request) -> web.StreamResponse:
        """`POST subjects/block`: end them, and let the subject log in no more."""
        fields = read_object(await self._read_body(request))
        check_names(list(fields), BLOCK_FIELDS)
        subjects, block = self._subjects(request, fields), read_block(fields)
        request[RECORD].tell("until", "for good" if block.until is None else int(block.until))
        request[RECORD].tell("reason", block.reason)
        blocks = self._sessions.blocks
        return await self._end_each(request, subjects, lambda each: blocks.block(each, block))

    async def unblock(self, request: web.Request) -> web.StreamResponse:
        """`POST subjects/unblock`: let it log in again."""
        fields = read_object(await self._read_body(request))
        check_names(list(fields), SUBJECT_FIELDS)
        subjects = self._subjects(request, fields)
        lifted = await act_on_each(subjects, self._sessions.blocks.unblock)
        return web.json_response({"unblocked": any(lifted)})

    async def show_block(self, request: web.Request) -> web.StreamResponse:
        """`GET subjects/block`: whether a subject is kept out, until when and why."""
        subjects = self._subjects(request, request.query)
        found = await act_on_each(subjects, self._sessions.blocks.of)
        block = next(filter(None, found), None)
        if block is None:
            return web.json_response({"blocked": False})
        return web.json_response({"blocked": True, "until": block.until, "reason": block.reason})

    def _subjects(self, request: web.Request, fields: Mapping[str, object]) -> tuple[Subject, ...]:
        subjects = read_subjects(fields, self._apps)
        request[RECORD].tell_subjects(subjects)
        return subjects

    async def _end_each(
        self,
        request: web.Request,
        subjects: Sequence[Subject],
        act: Callable[[Subject], Awaitable[int]],
    ) -> web.StreamResponse:
        ended = sum(await act_on_each(subjects, act))
        request[RECORD].tell("ended", ended)
        return web.json_response({"ended": ended})

    async def _read_body(self, request: web.Request) -> bytes:
        try:
            async with asyncio.timeout(self._body_s):
                return await request.read()
        except TimeoutError:
            raise GatewayError("bad_request", "the request body stopped arriving") from None
        except web.RequestPayloadError:  # its text repeats what it read
            raise GatewayError("bad_request", "the request body is malformed") from None


async def act_on_each(
    subjects: Sequence[Subject], act: Callable[[Subject], Awaitable[T]]
) -> list[T]:
    """Do it to all, also where one fails. Raises: GatewayError, the last one's."""
    done: list[T] = []
    failure: GatewayError | None = None
    for subject in subjects:
        try:
            done.append(await act(subject))
        except GatewayError as error:
            failure = error
    if failure is not None:
        raise failure
    return done


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", str(DEFAULT_PAGE))
    if not (text.isascii() and text.isdigit()) or len(text) > 6:
        raise GatewayError("bad_request", "`limit` is a number")
    return min(max(int(text), 1), MAX_PAGE)


def describe(session: Session) -> dict[str, object]:
    """Tell a session to an operator; its id ends it and is no token. Moments in whole seconds."""
    subject: Subject = session.subject
    return {
        "id": session.key,
        "subject": str(subject),
        "platform": subject.platform,
        "app": session.app,
        "anonymous": session.is_anonymous,
        "created_at": int(session.created_at),
        "expires_at": int(session.expires_at),
        "last_used_at": int(session.last_used_at),
    }
