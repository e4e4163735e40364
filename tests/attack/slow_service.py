"""The service behind in the slow tests: reads bodies, answers `/big` with much, else little.

It reads and writes with back-pressure, as real services do.
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

BIG = b"x" * 512 * 1024
_SMALL = b"ok"


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
        while head := await reader.readuntil(b"\r\n\r\n"):
            await reader.readexactly(_length(head))
            body = BIG if b"/big" in head.split(b"\r\n", 1)[0] else _SMALL
            is_head = head.startswith(b"HEAD ")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(b"" if is_head else body)
            await writer.drain()
    writer.close()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


@contextlib.contextmanager
def serving() -> Iterator[int]:
    """Serve on a free port until the block ends."""
    loop = asyncio.new_event_loop()
    starting = asyncio.start_server(_serve, "127.0.0.1", 0, backlog=4096)
    server = loop.run_until_complete(starting)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
