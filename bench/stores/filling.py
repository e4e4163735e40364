"""Puts sessions into a store, by the project's own service or by the store's own writer.

It must not know what they are for.
"""

import asyncio
import base64
import secrets
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import uvloop

from bench.sessions import DAY_S
from bench.stores.own import APP_ID, Keys
from gateway.clock import now
from gateway.sessions.keyring import KeyRing
from gateway.sessions.model import Session, Subject
from gateway.sessions.service import NewLogin, SessionPolicy, SessionService
from gateway.sessions.store import SessionStore, subject_key_of
from gateway.sessions.stores import open_store
from gateway.sessions.token import TokenSigner, session_key_of

_POLICY = SessionPolicy(30 * DAY_S, 180 * DAY_S, 7 * DAY_S, 10)
AT_ONCE = 16
"""Writes under way: each is given up after 1 s, so the queue must stay short."""


@dataclass(frozen=True, slots=True)
class Made:
    """A session in the store, and its token."""

    token: str = field(repr=False)
    key: str


def make_sessions(url: str, keys: Keys, count: int) -> list[Made]:
    """Log so many subjects in, with the service that the gateway uses."""
    return uvloop.run(_make(url, keys, count))


async def _make(url: str, keys: Keys, count: int) -> list[Made]:
    ring = KeyRing([base64.b64decode(keys.encryption)])
    signer = TokenSigner([keys.signing])
    store = open_store(url, now)
    service = SessionService(store, signer, ring, now, _POLICY, secrets.token_bytes)
    made: list[Made] = []

    async def work(numbers: Iterator[int]) -> None:
        for number in numbers:
            issued = await service.create(_login(number))
            made.append(Made(issued.token, issued.session.key))

    await service.open()
    try:
        await _at_once(work, count)
    finally:
        await service.close()
    return made


def fill(url: str, count: int) -> None:
    """Write so many sessions, each of a subject of its own and with a sealed `session_key`.

    The rows are those of logins; only the ids are made faster than the service makes them.
    """
    uvloop.run(_fill(url, count))


async def _fill(url: str, count: int) -> None:
    store = open_store(url, now)
    ring = KeyRing([secrets.token_bytes(32)])

    async def work(numbers: Iterator[int]) -> None:
        for number in numbers:
            await _write(store, ring, number)

    await store.open()
    try:
        await _at_once(work, count)
    finally:
        await store.close()


async def _write(store: SessionStore, ring: KeyRing, number: int) -> None:
    login = _login(number)
    subject_key = subject_key_of(login.subject)
    at = now()
    session = Session(
        key=subject_key[0] + session_key_of(f"bench-{number}")[1:],  # on its subject's slot
        subject=login.subject,
        app=login.app,
        openid=login.openid,
        unionid=login.unionid,
        anonymous_openid=None,
        created_at=at,
        expires_at=int(at) + _POLICY.lifetime_s,
        last_used_at=at,
    )
    sealed = ring.seal(login.session_key or "", f"session_key.v1:{subject_key}")
    await store.create(session, sealed, _POLICY.max_per_subject)


async def _at_once(work: Callable[[Iterator[int]], Awaitable[None]], count: int) -> None:
    numbers = iter(range(count))
    await asyncio.gather(*(work(numbers) for _ in range(AT_ONCE)))


def _login(number: int) -> NewLogin:
    """Return a login as WeChat's are: ids of 28 characters, a key of 24."""
    openid = f"oBench{number:022d}"
    return NewLogin(
        "bench",
        Subject("wechat", APP_ID, "user", openid),
        openid=openid,
        unionid=f"uBench{number:022d}",
        session_key=base64.b64encode(number.to_bytes(16, "big")).decode(),
    )
