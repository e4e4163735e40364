"""httpbin under production servers, each a process of its own on a socket that we bind.

Clients may connect at once: the kernel holds them until the server is up.
"""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

FIELDS = "128"  # as many as the gateway takes, and what it adds fits too
_WAITRESS = """
import socket, sys, waitress
from httpbin import app
waitress.serve(app, sockets=[socket.socket(fileno=int(sys.argv[1]))], threads=4)
"""


def _command(server: str, fd: int) -> list[str]:
    if server == "waitress":
        return [sys.executable, "-c", _WAITRESS, str(fd)]
    words = (
        f"--bind fd://{fd} --worker-class gthread --threads 4 --keep-alive 60 --no-control-socket"
    )
    limits = f"--limit-request-line 8190 --limit-request-fields {FIELDS}"
    return [sys.executable, "-m", "gunicorn", *words.split(), *limits.split(), "httpbin:app"]


@contextlib.contextmanager
def serve_httpbin(server: str, log: Path) -> Iterator[int]:
    """Run httpbin under gunicorn or waitress; yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening, log.open("wb") as output:
        fd = listening.fileno()
        command = _command(server, fd)
        process = subprocess.Popen(command, stdout=output, stderr=output, pass_fds=[fd])
        try:
            yield int(listening.getsockname()[1])
        finally:
            process.terminate()
            process.wait(20)
