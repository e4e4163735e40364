"""`gateway serve` as a real process with its workers, between a simulator and a raw upstream."""

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import yaml

from gateway.clock import now
from gateway.simulator.app import build_simulator
from gateway.simulator.server import start
from gateway.simulator.world import SimulatedApp
from tests.support.commands import RunningCommand, free_ports, running_command
from tests.support.gateway import ADMIN_TOKEN, APP_SECRET, merge, settings_of
from tests.support.raw import Message, RawUpstream, ask, connect

WAIT_S = 20.0


async def until(is_so: Callable[[], object], what: str) -> None:
    """Wait until something is so that nothing tells us of: another process's doing."""
    async with asyncio.timeout(WAIT_S):
        while not is_so():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.02)
    assert is_so(), what


async def until_refused(port: int) -> None:
    """Wait until nobody listens; what is accepted before has been queued before."""
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                client = await connect(port)
            except ConnectionRefusedError:
                return
            except ConnectionError:
                continue  # it was still in the queue when the listener went
            await client.close()


def children_of(pid: int) -> set[int]:
    """The processes that a process has started and that live."""
    found = set()
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            state, parent = (folder / "stat").read_text().rpartition(") ")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found.add(int(folder.name))
    return found


def is_alive(pid: int) -> bool:
    """Whether a process lives; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def connections_of(pid: int) -> int:
    """How many sockets a process has open, of any kind."""
    count = 0
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            count += str(each.readlink()).startswith("socket:")
    return count


@dataclass(frozen=True, slots=True)
class Serving:
    """A parent process that serves, and what stands around it."""

    command: RunningCommand
    upstream: RawUpstream
    simulator_url: str
    port: int
    admin_port: int
    folder: Path

    @property
    def pid(self) -> int:
        return self.command.process.pid

    @property
    def workers(self) -> set[int]:
        return children_of(self.pid)

    def send(self, number: signal.Signals) -> None:
        self.command.process.send_signal(number)

    async def get(self, path: str, *headers: str) -> Message:
        """Ask the public side on a fresh connection."""
        return await ask(self.port, _head(f"GET {path}", headers))

    async def admin(self, path: str) -> Message:
        """Ask the admin side on a fresh connection."""
        return await ask(self.admin_port, _head(f"GET {path}", ()))

    async def login(self, user: str = "alice") -> str:
        """Log in and return the token."""
        answer = await self.login_with(await self.new_code(user))
        assert answer.status == 200, answer
        return str(json.loads(answer.body)["token"])

    async def new_code(self, user: str = "alice") -> str:
        """Have the simulator give a code out."""
        asked = {"platform": "wechat", "app_id": "wxshop", "user": user}
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{self.simulator_url}/_sim/codes", json=asked) as response,
        ):
            return str((await response.json())["code"])

    async def login_with(self, code: str, *headers: str) -> Message:
        """Log in with a code, on a fresh connection."""
        body = json.dumps({"app": "shop-wechat", "code": code}).encode()
        as_json = "Content-Type: application/json"
        return await self.request("POST /login", *headers, as_json, body=body)

    async def request(self, line: str, *headers: str, body: bytes = b"") -> Message:
        """Ask the public side on a fresh connection."""
        length = f"Content-Length: {len(body)}"
        return await ask(self.port, _head(line, (*headers, length)) + body)

    async def command_admin(self, line: str, **fields: object) -> Message:
        """Ask the admin API for something to be done."""
        body = json.dumps(fields).encode()
        headers = (f"Authorization: Bearer {ADMIN_TOKEN}", f"Content-Length: {len(body)}")
        return await ask(self.admin_port, _head(line, headers) + body)


def _head(line: str, headers: tuple[str, ...]) -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", "Host: gw", *headers, "", ""]).encode()


@asynccontextmanager
async def serving(
    folder: Path, changes: Mapping[str, object] | None = None
) -> AsyncIterator[Serving]:
    """Run `gateway serve` with two workers; `changes` are laid over the settings."""
    upstream = RawUpstream()
    await upstream.start()
    app = SimulatedApp("wechat", "wxshop", APP_SECRET, "mini-program", is_bound=True)
    simulator = await start(build_simulator([app], now), "127.0.0.1", 0)
    port, admin_port = free_ports(2)
    usual: dict[str, object] = {
        "server": {"listen": f"127.0.0.1:{port}", "workers": 2},
        "admin": {"listen": f"127.0.0.1:{admin_port}"},
    }
    settings = merge(merge(settings_of(upstream.port, simulator.url), usual), changes or {})
    (folder / "gateway.yaml").write_text(yaml.safe_dump(settings))
    try:
        async with running_command(folder, "serve") as command:
            await command.until("listens on")
            running = Serving(command, upstream, simulator.url, port, admin_port, folder)
            try:
                yield running
            finally:
                left = running.workers  # a killed parent's workers end by themselves
                if command.process.returncode is None:
                    command.process.kill()
                await command.process.communicate()  # also where it has ended: it closes the pipes
                await until(lambda: not any(map(is_alive, left)), "an orphan serves")
    finally:
        await upstream.close()
        await simulator.close()
