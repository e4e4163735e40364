"""A process that uses one ticket many times at once, when told to go.

Arguments: the store's URL, the ticket, its path, how often. It prints how often that was good, and
the codes of the refusals.
"""

import asyncio
import secrets
import sys
from collections import Counter

from gateway.clock import now
from gateway.errors import GatewayError
from gateway.sessions.stores import open_store
from gateway.sessions.tickets import Tickets
from tests.support.session_process import build_service


async def main(url: str, ticket: str, path: str, count: int) -> None:
    service, store = build_service(url), open_store(url, now)
    await service.open()
    await store.open()
    tickets = Tickets(store, service, now, secrets.token_bytes)

    async def use() -> str:
        try:
            await tickets.redeem(ticket, path)
        except GatewayError as error:
            return error.code
        return "good"

    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    outcomes = Counter(await asyncio.gather(*(use() for _ in range(count))))
    sys.stdout.write(" ".join(f"{name}={n}" for name, n in sorted(outcomes.items())) + "\n")
    sys.stdout.flush()
    await store.close()
    await service.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
