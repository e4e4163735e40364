"""What an idle client connection costs in memory: thousands that asked once and stay.

It must not know what is behind the port.
"""

import asyncio
import resource
from collections.abc import Sequence
from dataclasses import dataclass

import uvloop

from bench.process import memory_bytes
from bench.warm import read_answer, request_bytes

CONNECTIONS = 10_000
PER_ADDRESS = 1000
"""Under the default of `limits.connections_per_ip`; Linux takes all of 127.0.0.0/8 for its own."""
_SPARE_FILES = 500
_AT_ONCE = 50
_SETTLE_S = 1.0


@dataclass(frozen=True, slots=True)
class IdleCost:
    """How many connections stood, and what the process grew by: resident, and unshared."""

    connections: int
    rss_bytes: int
    uss_bytes: int

    @property
    def rss_each_kib(self) -> float:
        return self.rss_bytes / self.connections / 1024

    @property
    def uss_each_kib(self) -> float:
        return self.uss_bytes / self.connections / 1024


def raise_file_limit() -> int:
    """Allow this process and its children as many files as the system lets them; return them."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def measure_idle(port: int, path: str, token: str, pids: Sequence[int]) -> IdleCost:
    """Open the connections, each with one request, and compare the process with before."""
    count = min(CONNECTIONS, raise_file_limit() - _SPARE_FILES)
    return uvloop.run(_measure(port, request_bytes(path, token), pids, count))


async def _measure(port: int, request: bytes, pids: Sequence[int], count: int) -> IdleCost:
    rss, uss = memory_bytes(pids)
    writers: list[asyncio.StreamWriter] = []
    try:
        for start in range(0, count, _AT_ONCE):
            numbers = range(start, min(start + _AT_ONCE, count))
            opened = (_open(port, request, number) for number in numbers)
            writers.extend(await asyncio.gather(*opened))
        await asyncio.sleep(_SETTLE_S)
        rss_after, uss_after = memory_bytes(pids)
    finally:
        for writer in writers:
            writer.close()
    return IdleCost(count, rss_after - rss, uss_after - uss)


async def _open(port: int, request: bytes, number: int) -> asyncio.StreamWriter:
    """Connect from one of several addresses and ask once."""
    address = address_of(number)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    writer.write(request)
    await read_answer(reader)
    return writer


def address_of(number: int) -> str:
    """Return the address that the client of this number comes from."""
    return f"127.0.1.{number // PER_ADDRESS + 1}"
