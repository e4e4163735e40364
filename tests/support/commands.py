"""Runs the command line as users do: a process of its own, in a folder of its own."""

import asyncio
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).parents[2]
WAIT_S = 30.0
PORTS = range(10_000, 32_000)


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on, each once.

    They lie below those that the kernel gives to outgoing connections (32768 and up): one of these
    would often be taken again before the program that is to listen there has started.
    """
    found: set[int] = set()
    while len(found) < count:
        port = secrets.choice(PORTS)
        if is_free(port):
            found.add(port)
    return list(found)


def is_free(port: int) -> bool:
    """Whether nothing has this port."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command left."""

    code: int
    out: str
    err: str


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """This process's environment, and this work tree's gateway; its coverage, if it is measured."""
    given = {**os.environ, "PYTHONPATH": str(TOP)}
    if "COVERAGE_PROCESS_START" in given:  # relative to where the tests run, as the data is
        given["COVERAGE_PROCESS_START"] = str(TOP / given["COVERAGE_PROCESS_START"])
        given["COVERAGE_FILE"] = str(TOP / given.get("COVERAGE_FILE", ".coverage"))
    return {**given, **more}


async def run(folder: Path, *words: str, env: Mapping[str, str] | None = None) -> Finished:
    """Run `gateway` to its end."""
    process = await _start(folder, words, env or {})
    async with asyncio.timeout(WAIT_S):
        out, err = await process.communicate()
    return Finished(process.returncode or 0, out.decode(), err.decode())


async def run_shell(folder: Path, script: str) -> Finished:
    """Run lines in bash, exactly as they stand."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", script),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(WAIT_S):
        out, err = await process.communicate()
    return Finished(process.returncode or 0, out.decode(), err.decode())


@dataclass(slots=True)
class RunningCommand:
    """A command that serves; `said` collects its lines of both streams."""

    process: asyncio.subprocess.Process
    said: list[str] = field(default_factory=list)

    async def until(self, text: str) -> str:
        """Read stderr up to a line that holds this text."""
        return await self._read(self.process.stderr, text)

    async def until_out(self, text: str) -> str:
        """Read stdout up to a line that holds this text; return all lines read."""
        return await self._read(self.process.stdout, text)

    async def _read(self, stream: asyncio.StreamReader | None, text: str) -> str:
        assert stream is not None
        read = ""
        async with asyncio.timeout(WAIT_S):
            while text not in read:
                line = (await stream.readline()).decode()
                assert line, f"it ended before saying {text!r}: {read}"
                read += line
        self.said.append(read)
        return read

    async def stop(self, number: signal.Signals) -> Finished:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        async with asyncio.timeout(WAIT_S):
            out, err = await self.process.communicate()
        return Finished(self.process.returncode or 0, out.decode(), err.decode())


@asynccontextmanager
async def running_command(
    folder: Path, *words: str, env: Mapping[str, str] | None = None
) -> AsyncIterator[RunningCommand]:
    """Run a command that serves; it is killed if the test leaves it running."""
    process = await _start(folder, words, env or {})
    try:
        yield RunningCommand(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def _start(
    folder: Path, words: tuple[str, ...], env: Mapping[str, str]
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", *words),
        cwd=folder,
        env=environment(env),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
