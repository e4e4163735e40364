"""Shows that 1 GiB up and 1 GiB down pass in constant memory, with a fast and a slow reader.

Starts `gateway serve` as its own process between a raw upstream and a raw client, and reads the
process's peak resident size (VmHWM) from /proc. Run: `make bench`, or `python -m bench.stream`.
"""

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

import yaml

GIB = 1024**3
PIECE = b"\0" * (256 * 1024)
SLOW_BYTES = 64 * 1024**2
ALLOWED_GROWTH_KIB = 32 * 1024
"""What a stream may add to the peak: buffers of both legs, and the allocator's slack."""


async def serve_upstream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Swallow what is uploaded and say its size; send as many bytes as a GET's path names."""
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            break
        if head.startswith(b"GET"):
            size = int(head.split(b" ")[1].rsplit(b"/", 1)[1])
            await send(writer, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size, size)
            continue
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        body = str(await swallow(reader, length)).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    writer.close()


async def send(writer: asyncio.StreamWriter, head: bytes, size: int) -> None:
    """Write a head and `size` bytes, as fast as the other side takes them."""
    writer.write(head)
    sent = 0
    while sent < size:
        piece = PIECE[: size - sent]
        writer.write(piece)
        await writer.drain()
        sent += len(piece)


async def swallow(reader: asyncio.StreamReader, size: int, pause_s: float = 0.0) -> int:
    """Read `size` bytes, resting `pause_s` after each piece."""
    got = 0
    while got < size:
        data = await reader.read(len(PIECE))
        if not data:
            break
        got += len(data)
        if pause_s:
            await asyncio.sleep(pause_s)
    return got


async def upload(port: int, size: int) -> int:
    """POST `size` bytes through the gateway; return what the upstream counted."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await send(
        writer, b"POST /s/up HTTP/1.1\r\nHost: gw\r\nContent-Length: %d\r\n\r\n" % size, size
    )
    await reader.readuntil(b"\r\n\r\n")
    counted = int(await reader.read(64))
    writer.close()
    return counted


async def download(port: int, size: int, pause_s: float = 0.0) -> int:
    """GET `size` bytes through the gateway; return what arrived."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /s/%d HTTP/1.1\r\nHost: gw\r\n\r\n" % size)
    await reader.readuntil(b"\r\n\r\n")
    got = await swallow(reader, size, pause_s)
    writer.close()
    return got


def peak_kib(pid: int) -> int:
    """The process's peak resident size."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


async def start_gateway(folder: Path, upstream_port: int) -> tuple[asyncio.subprocess.Process, int]:
    """Start `gateway serve` with `limits.body: 2GiB`; return it and its port."""
    settings = {
        "environment": "development",
        "server": {"listen": "127.0.0.1:18080", "workers": 1, "limits": {"body": "2GiB"}},
        "admin": {"listen": "127.0.0.1:18081"},
        "upstreams": {"s": {"targets": [f"http://127.0.0.1:{upstream_port}"]}},
        "routes": [{"path": "/s/", "upstream": "s", "session": "none"}],
        "logs": {"access": "./access.log"},
    }
    path = folder / "gateway.yaml"
    path.write_text(yaml.safe_dump(settings))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "serve", "-c", str(path), stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    line = await process.stderr.readline()
    if b"listens" not in line:
        raise SystemExit((line + await process.stderr.read()).decode())
    return process, 18080


async def measure(process: asyncio.subprocess.Process, port: int) -> bool:
    """Run the streams; print each one's speed and the peak behind it."""
    await download(port, 1024**2)
    base = peak_kib(process.pid)
    print(f"before              peak {base / 1024:7.1f} MiB")
    runs = (
        ("upload   1 GiB", GIB, upload(port, GIB)),
        ("download 1 GiB", GIB, download(port, GIB)),
        ("slow read 64 MiB", SLOW_BYTES, download(port, SLOW_BYTES, 0.005)),
    )
    is_constant = True
    for name, size, run in runs:
        began = time.perf_counter()
        passed = await run
        elapsed = time.perf_counter() - began
        peak = peak_kib(process.pid)
        good = passed == size and peak - base < ALLOWED_GROWTH_KIB
        is_constant = is_constant and good
        print(
            f"{name:18}  peak {peak / 1024:7.1f} MiB  {size / elapsed / 1024**2:8.0f} MiB/s"
            f"  {'constant' if good else 'NOT CONSTANT' if passed == size else 'NOT WHOLE'}"
        )
    return is_constant


async def main() -> int:
    """Measure; return the exit code."""
    upstream = await asyncio.start_server(serve_upstream, "127.0.0.1", 0, limit=2**20)
    with tempfile.TemporaryDirectory() as folder:
        process, port = await start_gateway(Path(folder), upstream.sockets[0].getsockname()[1])
        try:
            is_constant = await measure(process, port)
        finally:
            process.terminate()
            await process.wait()
    upstream.close()
    return 0 if is_constant else 1


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(asyncio.run(main()))
