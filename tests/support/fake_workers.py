"""Worker programs of a few lines, for tests of who starts workers: real processes and channels."""

import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.supervisor.process import Job

TOP = Path(__file__).parents[2]
SETTINGS = b"pickled settings"
_PROGRAM = """\
import asyncio, os, signal, socket, sys
sys.path.insert(0, sys.argv[1])
from gateway.supervisor.channel import MAX_SETTINGS_BYTES, Channel

READY = {{"kind": "ready"}}
STUCK = 3600

def counted(**about):
    return {{"kind": "snapshot", "snapshot": {{"pid": os.getpid()}}, **about}}

async def main():
    channel = await Channel.open(socket.socket(fileno=int(sys.argv[2])))
    settings = await channel.receive_bytes(MAX_SETTINGS_BYTES)
    async def said():
        return await channel.receive() or {{"kind": "gone"}}
{body}
asyncio.run(main())
"""
GOOD = """
await channel.send(READY)
while (message := await said())["kind"] == "ask":
    await channel.send(counted(id=message["id"]))
await channel.send({"kind": "draining"})
await channel.send(counted())
"""
"""Becomes ready, answers each question, ends when it is told to or when its parent is gone."""


def job(body: str = GOOD, listening: Sequence[socket.socket] = ()) -> Job:
    """Let a program be the worker; `body` is what it does once it has its settings."""
    indented = "".join(f"    {line}\n" for line in body.strip().splitlines())
    program = _PROGRAM.format(body=indented)
    return Job(SETTINGS, listening, (sys.executable, "-c", program, str(TOP)))


class Notes:
    """A ledger that keeps what it is told."""

    def __init__(self) -> None:
        self.snapshots: dict[str, dict[str, object]] = {}
        self.retired: list[str] = []

    def update(self, worker: str, snapshot: dict[str, object]) -> None:
        self.snapshots[worker] = snapshot

    def retire(self, worker: str) -> None:
        self.retired.append(worker)
