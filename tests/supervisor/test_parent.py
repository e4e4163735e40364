"""The parent and its workers as real processes: started, killed, replaced, drained, orphaned."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

import pytest

from tests.support.own import bearer
from tests.support.raw import OK, RawClient, RawUpstream, Script, ask, connect
from tests.support.serving import (
    Serving,
    connections_of,
    is_alive,
    serving,
    until,
    until_refused,
)

GET = b"GET /hello.txt HTTP/1.1\r\nHost: gw\r\n\r\n"
PROXIED = GET.replace(b"/hello.txt", b"/public/x")


@pytest.fixture
async def parent(tmp_path: Path) -> AsyncIterator[Serving]:
    """A parent with two workers."""
    async with serving(tmp_path) as running:
        yield running


# -- serving ----------------------------------------------------------------------------------


async def test_all_workers_get_connections(parent: Serving) -> None:
    """The kernel shares them out among the workers' own listeners."""
    before = {pid: connections_of(pid) for pid in parent.workers}
    assert len(before) == 2
    clients = [await connect(parent.port) for _ in range(40)]

    def more() -> list[int]:
        return [connections_of(pid) - count for pid, count in before.items()]

    await until(lambda: sum(more()) >= 40, "connections were not accepted")
    assert min(more()) > 4
    for client in clients:
        await client.close()


async def test_workers_share_sessions(parent: Serving) -> None:
    """A token of one worker is good at the other, and ends at both."""
    token = await parent.login()
    for _ in range(20):
        assert (await parent.get("/orders/1", bearer(token))).status == 200
    logout = f"POST /logout HTTP/1.1\r\nHost: gw\r\n{bearer(token)}\r\n\r\n".encode()
    assert (await ask(parent.port, logout)).status == 204
    await asyncio.sleep(1.2)  # the bound of design 5: a second, while the store is there
    for _ in range(20):
        assert (await parent.get("/orders/1", bearer(token))).status == 401


async def test_metrics_are_those_of_all_workers(parent: Serving) -> None:
    """Asked for when they are read; a killed worker's stay, so that sums never go down."""
    for _ in range(20):
        assert (await parent.get("/hello.txt")).status == 200
    assert await requests_counted(parent) == 20
    killed = min(parent.workers)
    os.kill(killed, signal.SIGKILL)
    await until(lambda: len(parent.workers - {killed}) == 2, "no new worker")
    assert await requests_counted(parent) == 20


async def requests_counted(parent: Serving) -> int:
    """The sum of `gateway_requests_total`."""
    text = (await parent.admin("/metrics")).body.decode()
    counts = re.findall(r"^gateway_requests_total\{.*\} (\S+)$", text, re.MULTILINE)
    return int(sum(map(float, counts)))


async def test_it_serves_on_a_unix_socket(tmp_path: Path) -> None:
    """Which the workers share; its file goes with the parent."""
    path = tmp_path / "gw.sock"
    async with serving(tmp_path, {"server": {"listen": f"unix:{path}"}}) as parent:
        parent.send(signal.SIGHUP)
        await parent.command.until("all workers are replaced")
        for _ in range(8):
            client = RawClient(*await asyncio.open_unix_connection(path))
            await client.send(GET)
            assert (await client.answer()).status == 200
            await client.close()
        assert (await parent.command.stop(signal.SIGTERM)).code == 0
    assert not path.exists()


# -- a worker's death -------------------------------------------------------------------------


async def test_a_killed_worker_comes_back_and_the_other_goes_on(parent: Serving) -> None:
    """Under load; the log says how it ended."""
    before = parent.workers
    async with Load(parent) as load:
        await load.more(50)
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        await until(lambda: len(parent.workers - {killed}) == 2, "no new worker")
        await load.more(50)
    assert load.lost == 0, "a retried request is served"
    assert before - {killed} < parent.workers
    said = await parent.command.until("serves")
    assert f"(pid {killed}) died: killed by SIGKILL" in said


async def test_a_new_worker_has_the_settings_of_the_old(parent: Serving, tmp_path: Path) -> None:
    """Whatever the file says meanwhile: workers never differ."""
    (tmp_path / "gateway.yaml").write_text("rubbish")
    for pid in parent.workers:
        os.kill(pid, signal.SIGKILL)
    before = parent.workers
    await until(lambda: len(parent.workers - before) == 2, "no new workers")
    for _ in range(8):
        assert (await parent.get("/hello.txt")).status == 200


async def test_a_worker_that_is_told_to_end_drains_and_is_followed(parent: Serving) -> None:
    """SIGTERM to a worker alone; SIGINT, which a terminal sends to all, is not for it."""
    chosen = min(parent.workers)
    os.kill(chosen, signal.SIGINT)
    assert (await parent.get("/hello.txt")).status == 200
    assert chosen in parent.workers
    os.kill(chosen, signal.SIGTERM)
    await until(lambda: len(parent.workers - {chosen}) == 2, "no new worker")
    assert f"(pid {chosen}) drains by itself" in await parent.command.until("drains")
    await until(lambda: not is_alive(chosen), "it does not end")


async def test_nobody_waits_for_the_old_clients_of_a_worker_that_drains(parent: Serving) -> None:
    """Another one serves what comes to its socket, while it finishes what it has begun."""
    release, begun = asyncio.Event(), asyncio.Event()
    parent.upstream.script = held_back(begun, release)
    workers = parent.workers
    client = await connect(parent.port)
    await client.send(PROXIED)
    await begun.wait()
    for pid in workers:  # one has the client; the other one's place is served too
        os.kill(pid, signal.SIGTERM)
    await until(lambda: len(workers & parent.workers) == 1, "not one waits for its client")
    for _ in range(20):
        assert (await parent.get("/hello.txt")).status == 200
    assert workers & parent.workers, "it waits for its client"
    release.set()
    assert (await client.answer()).body == b"ok"
    await client.close()
    await until(lambda: not workers & parent.workers, "it does not end")
    assert len(parent.workers) == 2


async def test_without_a_worker_it_is_not_ready(parent: Serving) -> None:
    """It lives, but nothing should be sent to it."""
    assert (await parent.admin("/readyz")).status == 200
    for pid in parent.workers:
        os.kill(pid, signal.SIGKILL)
    await parent.command.until("died")
    await parent.command.until("died")
    assert (await parent.admin("/readyz")).status == 503
    assert (await parent.admin("/healthz")).status == 200
    assert (await parent.get("/hello.txt")).status == 200, "it waits in the queue for a worker"
    assert (await parent.admin("/readyz")).status == 200


# -- the end ----------------------------------------------------------------------------------


async def test_a_slow_request_is_finished_and_new_clients_are_refused(parent: Serving) -> None:
    """SIGTERM: what is under way ends well, nothing new begins, the exit code is 0."""
    release, begun = asyncio.Event(), asyncio.Event()
    parent.upstream.script = held_back(begun, release)
    client = await connect(parent.port)
    await client.send(PROXIED)
    await begun.wait()
    parent.send(signal.SIGTERM)
    await parent.command.until("draining")
    await until_refused(parent.port)
    assert (await parent.admin("/readyz")).status == 503
    release.set()
    assert (await client.answer()).body == b"ok"
    await client.close()
    finished = await parent.command.stop(signal.SIGCONT)
    assert finished.code == 0
    assert "Traceback" not in finished.err


def held_back(begun: asyncio.Event, release: asyncio.Event) -> Script:
    """A service that answers when it is told to."""

    async def script(
        _: RawUpstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        begun.set()
        await release.wait()
        writer.write(OK)
        await writer.drain()

    return script


async def test_what_waits_in_the_queue_is_served_before_the_end(parent: Serving) -> None:
    """Clients that were connected when draining began, with workers that had no time for them."""
    workers = parent.workers
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    clients = [await connect(parent.port) for _ in range(20)]
    for client in clients:
        await client.send(GET)
    parent.send(signal.SIGTERM)
    await parent.command.until("draining")
    for pid in workers:
        os.kill(pid, signal.SIGCONT)
    for client in clients:
        assert (await client.answer()).status == 200
        await client.close()
    assert (await parent.command.stop(signal.SIGCONT)).code == 0


async def test_ctrl_c_drains_too(parent: Serving) -> None:
    """The same end by SIGINT."""
    workers = parent.workers
    assert (await parent.command.stop(signal.SIGINT)).code == 0
    await until(lambda: not any(map(is_alive, workers)), "an orphan serves")


async def test_workers_do_not_outlive_their_parent(parent: Serving) -> None:
    """A parent that is killed leaves no orphan that serves."""
    workers = parent.workers
    idle = await connect(parent.port)
    parent.command.process.kill()
    await until(lambda: not any(map(is_alive, workers)), "an orphan serves")
    await until_refused(parent.port)
    assert await idle.is_closed()
    await idle.close()


async def test_a_second_signal_ends_the_workers_too(tmp_path: Path) -> None:
    """Who asks twice does not want to wait for a client."""
    async with serving(tmp_path, {"server": {"timeouts": {"shutdown": "1h"}}}) as parent:
        release, begun = asyncio.Event(), asyncio.Event()
        parent.upstream.script = held_back(begun, release)
        workers, client = parent.workers, await connect(parent.port)
        await client.send(PROXIED)
        await begun.wait()
        parent.send(signal.SIGTERM)
        await until_refused(parent.port)
        assert workers & parent.workers, "one waits for its client"
        finished = await parent.command.stop(signal.SIGTERM)
        assert finished.code == -signal.SIGTERM
        await until(lambda: not any(map(is_alive, workers)), "an orphan waits for its client")
        release.set()
        await client.close()


# -- a rolling restart ------------------------------------------------------------------------


async def test_a_rolling_restart_loses_no_request(parent: Serving) -> None:
    """SIGHUP under load: new workers, and every request of a client that retries is served.

    Also of one that does not, where each request has its own connection.
    """
    before = parent.workers
    async with Load(parent) as load:
        await load.more(50)
        for _ in range(2):
            parent.send(signal.SIGHUP)
            await parent.command.until("all workers are replaced")
        await load.more(50)
    assert not before & parent.workers
    assert len(parent.workers) == 2
    assert load.lost == 0
    assert load.failed_at_first == 0


class Load:
    """Four clients that ask without pause: two on fresh connections, two that keep theirs.

    `lost` requests got no answer at the second try either; `failed_at_first` are those of the
    fresh connections that got none at the first.
    """

    def __init__(self, parent: Serving) -> None:
        self._parent = parent
        self.served = 0
        self.lost = 0
        self.failed_at_first = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._is_over = False

    async def __aenter__(self) -> Self:
        ways = (self._fresh, self._fresh, self._kept, self._kept)
        self._tasks = [asyncio.create_task(way()) for way in ways]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_over = True
        await asyncio.gather(*self._tasks)

    async def more(self, count: int) -> None:
        """Wait until so many more are served."""
        wanted = self.served + count
        await until(lambda: self.served >= wanted, "nothing is served")

    async def _fresh(self) -> None:
        while not self._is_over:
            if not await self._served_once():
                self.failed_at_first += 1
                self.lost += not await self._served_once()

    async def _served_once(self) -> bool:
        try:
            answer = await ask(self._parent.port, PROXIED)
        except (ConnectionError, asyncio.IncompleteReadError):
            return False
        self.served += answer.status == 200
        return answer.status == 200

    async def _kept(self) -> None:
        while not self._is_over:
            client = await connect(self._parent.port)
            try:
                while not self._is_over:
                    await client.send(PROXIED)
                    if (await client.answer()).value("Connection") == "close":
                        break
                    self.served += 1
            except (ConnectionError, asyncio.IncompleteReadError):
                self.lost += not await self._served_once()
            await client.close()
