"""A process with a session service of its own, spoken to by lines; it answers each with one.

Arguments: the store's URL. `use <token>`: `good` or the error's code. `end <key>`: True or False.
"""

import asyncio
import secrets
import sys

from gateway.clock import Clock, now
from gateway.errors import GatewayError
from gateway.sessions.keyring import KeyRing
from gateway.sessions.memory import CachePolicy
from gateway.sessions.service import SessionPolicy, SessionService
from gateway.sessions.store import SessionStore
from gateway.sessions.stores import open_store
from gateway.sessions.token import TokenSigner
from tests.support.endings import until


def build_service(
    url: str, *, grace_s: float = 60.0, max_per_subject: int = 1000
) -> SessionService:
    """A service as the gateway builds it, on the wall clock."""
    return service_on(open_store(url, now), now, grace_s=grace_s, max_per_subject=max_per_subject)


def service_on(
    store: SessionStore, clock: Clock, *, grace_s: float = 60.0, max_per_subject: int = 1000
) -> SessionService:
    """The same over this store, by this clock."""
    return SessionService(
        store,
        TokenSigner(["k" * 32]),
        KeyRing([b"e" * 32]),
        clock,
        SessionPolicy(3600, 3600, 600, max_per_subject),
        secrets.token_bytes,
        cache=CachePolicy(10_000, grace_s),
    )


async def main(url: str) -> None:
    service = build_service(url)
    await service.open()
    await until(lambda: service.is_following)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while line := await asyncio.to_thread(sys.stdin.readline):
        what, argument = line.split()
        sys.stdout.write(f"{await answer(service, what, argument)}\n")
        sys.stdout.flush()
    await service.close()


async def answer(service: SessionService, what: str, argument: str) -> str:
    if what == "end":
        return str(bool(await service.end(argument)))
    try:
        await service.authenticate(argument)
    except GatewayError as error:
        return error.code
    return "good"


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
