"""Sessions for a run: made by the project's own service in a store of their own, tokens kept.

It must not know how they are used.
"""

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from itsdangerous import Signer

from gateway.clock import now
from gateway.sessions.keyring import KeyRing
from gateway.sessions.model import Subject
from gateway.sessions.service import NewLogin, SessionPolicy, SessionService
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.token import TokenSigner

DAY_S = 86400.0
AT_ONCE = 16
"""Logins under way: each call of the store is given up after 1 s, so its queue must stay short."""


@dataclass(frozen=True, slots=True)
class SessionSet:
    """Where the store and the list of tokens stand, one token to a line, and the keys of both."""

    store: Path
    tokens: Path
    count: int
    signing_key: str = field(repr=False)
    encryption_key: str = field(repr=False)

    def first_token(self) -> str:
        """Return a token that is good."""
        with self.tokens.open() as lines:
            return lines.readline().strip()

    def token_key(self) -> str:
        """Return the key that signs tokens, derived as itsdangerous does, in hex: for peers."""
        signer = Signer(
            self.signing_key,
            salt=b"gateway.session-token.v1",
            key_derivation="hmac",
            digest_method=hashlib.sha256,
        )
        return signer.derive_key().hex()


def make_sessions(folder: Path, count: int) -> SessionSet:
    """Make `count` sessions, each of a subject of its own, in a new SQLite file."""
    made = SessionSet(
        store=folder / "data" / "gateway.db",
        tokens=folder / "tokens.txt",
        count=count,
        signing_key=secrets.token_urlsafe(48),
        encryption_key=base64.b64encode(secrets.token_bytes(32)).decode(),
    )
    tokens = asyncio.run(_make(made))
    made.tokens.write_text("".join(f"{token}\n" for token in tokens))
    return made


async def _make(made: SessionSet) -> list[str]:
    service = SessionService(
        SqliteStore(made.store, now),
        TokenSigner([made.signing_key]),
        KeyRing([base64.b64decode(made.encryption_key)]),
        now,
        SessionPolicy(30 * DAY_S, 180 * DAY_S, 7 * DAY_S, 10),
        secrets.token_bytes,
    )
    await service.open()
    try:
        numbers = iter(range(made.count))
        parts = await asyncio.gather(*(_log_in(service, numbers) for _ in range(AT_ONCE)))
    finally:
        await service.close()
    return [token for part in parts for token in part]


async def _log_in(service: SessionService, numbers: Iterator[int]) -> list[str]:
    """Take numbers until there are none left."""
    tokens = []
    for number in numbers:
        openid = f"bench-openid-{number:016d}"
        subject = Subject("wechat", "wx00000000000bench", "user", openid)
        issued = await service.create(NewLogin("bench", subject, openid=openid))
        tokens.append(issued.token)
    return tokens
