"""Reads files that settings name: bounded, regular files only, and never waiting for one."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from gateway.settings.findings import RefusedError


@dataclass(frozen=True, slots=True)
class FileContent:
    """What a file holds, and whether everybody on the machine may read or change it."""

    content: bytes
    is_world_readable: bool
    is_world_writable: bool


def read_bounded(path: Path, max_bytes: int) -> FileContent:
    """Read a whole regular file of at most `max_bytes`.

    Raises: RefusedError, in words for operators.
    """
    try:
        # Without O_NONBLOCK a named pipe would hold up the start for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise RefusedError("a regular file", f"{path}, which is none")
        content = _read(descriptor, max_bytes + 1)
    finally:
        os.close(descriptor)
    if len(content) > max_bytes:
        raise RefusedError(f"a file of at most {max_bytes} bytes", f"{path}, which is larger")
    mode = status.st_mode
    return FileContent(content, bool(mode & stat.S_IROTH), bool(mode & stat.S_IWOTH))


def _read(descriptor: int, max_bytes: int) -> bytes:
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        return file.read(max_bytes)


def _unreadable(path: Path, error: OSError | ValueError) -> RefusedError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
    return RefusedError("a file that this process can read", f"{path}: {reason}")


def decode(path: Path, content: bytes) -> str:
    """Decode UTF-8, with or without a byte order mark. Raises: RefusedError."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RefusedError("text in UTF-8", f"{path}, which is not UTF-8") from None
