"""Shows that 1 GiB passes up and down in constant memory, and down to a reader who is truly slow.

Runs `gateway serve` between a raw service and a raw client, and reads its peak resident size
(VmHWM) from /proc. A part of `make bench`; alone: `python -m bench.stream`.
"""

import asyncio
import os
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path

import uvloop
import yaml

from bench.machine import Cores, share, usable_cores
from bench.process import Program, free_port, running, tree, wait_ready

GIB = 1024**3
PIECE = b"\0" * (256 * 1024)
SLOW_S = 10.0
"""How long the slow reader is slow; the rest it takes as fast as it comes."""
SLOW_PIECE_BYTES = 64 * 1024
SLOW_PAUSE_S = 0.05  # so 1.25 MiB/s: far under what the service offers
SLOW_BUFFER_BYTES = 64 * 1024  # of the client's kernel, so that it hides nothing
ALLOWED_GROWTH_BYTES = 32 * 1024**2
"""What a stream may add to the peak: buffers of both legs, and the allocator's slack."""

_TOP = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class StreamResult:
    """One stream: whether all of it came, and what it added to the peak.

    `held_bytes`: at most so much was between service and slow reader, kernel's buffers included.
    """

    title: str
    is_whole: bool
    per_s: float
    growth_bytes: int
    held_bytes: int | None = None

    @property
    def is_constant(self) -> bool:
        return self.is_whole and self.growth_bytes < ALLOWED_GROWTH_BYTES


class Service:
    """Swallows what is uploaded and says its size; sends as many bytes as a GET's path names."""

    def __init__(self) -> None:
        self.sent = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def close(self) -> None:
        """Close the connections that are still kept."""
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(one.wait_closed() for one in self._writers), return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests until it ends."""
        self._writers.append(writer)
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            if head.startswith(b"GET"):
                await self._download(writer, int(head.split(b" ")[1].rsplit(b"/", 1)[1]))
                continue
            length = next(
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            )
            body = str(await swallow(reader, length)).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()

    async def _download(self, writer: asyncio.StreamWriter, size: int) -> None:
        self.sent = 0
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while self.sent < size:
            piece = PIECE[: size - self.sent]
            writer.write(piece)
            await writer.drain()
            self.sent += len(piece)


async def swallow(reader: asyncio.StreamReader, size: int) -> int:
    """Read up to `size` bytes; return how many came."""
    got = 0
    while got < size:
        data = await reader.read(min(len(PIECE), size - got))
        if not data:
            break
        got += len(data)
    return got


async def upload(port: int, size: int) -> int:
    """POST `size` bytes through the gateway; return what the service counted."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /s/up HTTP/1.1\r\nHost: gw\r\nContent-Length: %d\r\n\r\n" % size)
    for _ in range(size // len(PIECE)):
        writer.write(PIECE)
        await writer.drain()
    await reader.readuntil(b"\r\n\r\n")
    counted = int(await reader.read(64))
    writer.close()
    return counted


async def download(port: int, size: int) -> int:
    """GET `size` bytes through the gateway; return what arrived."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /s/%d HTTP/1.1\r\nHost: gw\r\n\r\n" % size)
    await reader.readuntil(b"\r\n\r\n")
    got = await swallow(reader, size)
    writer.close()
    return got


async def download_slowly(port: int, size: int, service: Service) -> tuple[int, int]:
    """GET `size` bytes, slowly at first; return what arrived, and the most that was held back."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER_BYTES)
    raw.connect(("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=raw, limit=SLOW_PIECE_BYTES)
    writer.write(b"GET /s/%d HTTP/1.1\r\nHost: gw\r\n\r\n" % size)
    await reader.readuntil(b"\r\n\r\n")
    got = held = 0
    for _ in range(int(SLOW_S / SLOW_PAUSE_S)):
        got += len(await reader.read(SLOW_PIECE_BYTES))
        held = max(held, service.sent - got)
        await asyncio.sleep(SLOW_PAUSE_S)
    got += await swallow(reader, size - got)
    writer.close()
    return got, held


# -- what it did to the gateway -------------------------------------------------------------------


def peak_bytes(pid: int) -> int:
    """The peak resident size of a process and all below it."""
    return sum(_peak_bytes(each) for each in tree(pid))


def _peak_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def measure_streams(cores: Cores) -> list[StreamResult]:
    """Start a gateway with `limits.body: 2GiB`, and run the streams one after another."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder, port, service_port = Path(name), free_port(), free_port()
        program = _gateway(folder, port, service_port, cores.proxy)
        log = folder / "gateway.log"
        with running(program, log) as process:
            wait_ready(port, "/ready", {}, process, log)
            return uvloop.run(_measure(process.pid, port, service_port))


def _gateway(folder: Path, port: int, service_port: int, core: int) -> Program:
    ready = {"content_type": "text/plain", "body": "ready\n"}
    settings = {
        "environment": "development",
        "server": {"listen": f"127.0.0.1:{port}", "workers": 1, "limits": {"body": "2GiB"}},
        "admin": {"listen": f"127.0.0.1:{free_port()}"},
        "upstreams": {"s": {"targets": [f"http://127.0.0.1:{service_port}"]}},
        "routes": [
            {"path": "/s/", "upstream": "s", "session": "none"},
            {"path": "/ready", "session": "none", "respond": ready},
        ],
        "logs": {"access": "./access.log"},
    }
    path = folder / "gateway.yaml"
    path.write_text(yaml.safe_dump(settings))
    argv = (sys.executable, "-m", "gateway", "serve", "-c", str(path))
    return Program(argv, (core,), {"PYTHONPATH": str(_TOP)})


async def _measure(pid: int, port: int, service_port: int) -> list[StreamResult]:
    service = Service()
    server = await asyncio.start_server(service.serve, "127.0.0.1", service_port, limit=2**20)
    await download(port, 1024**2)
    before = peak_bytes(pid)
    results = [
        await _run("upload, 1 GiB", upload(port, GIB), pid, before),
        await _run("download, 1 GiB", download(port, GIB), pid, before),
    ]
    began = time.perf_counter()
    got, held = await download_slowly(port, GIB, service)
    took, growth = time.perf_counter() - began, peak_bytes(pid) - before
    title = f"download, 1 GiB, slow reader for {SLOW_S:.0f} s"
    results.append(StreamResult(title, got == GIB, got / took, growth, held))
    server.close()
    await service.close()
    return results


async def _run(title: str, run: Awaitable[int], pid: int, before: int) -> StreamResult:
    began = time.perf_counter()
    passed = await run
    took = time.perf_counter() - began
    return StreamResult(title, passed == GIB, passed / took, peak_bytes(pid) - before)


def main() -> int:
    """Measure and print; return the exit code."""
    cores = share(usable_cores())
    os.sched_setaffinity(0, {cores.load})
    results = measure_streams(cores)
    for one in results:
        verdict = "constant" if one.is_constant else "NOT CONSTANT" if one.is_whole else "NOT WHOLE"
        held = "" if one.held_bytes is None else f"  held {one.held_bytes / 1024**2:.1f} MiB"
        print(
            f"{one.title:38} {one.per_s / 1024**2:7.0f} MiB/s"
            f"  peak +{one.growth_bytes / 1024**2:.1f} MiB  {verdict}{held}"
        )
    return 0 if all(one.is_constant for one in results) else 1


if __name__ == "__main__":
    sys.exit(main())
