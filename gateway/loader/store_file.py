"""Looks whether the session store's file can be used, before anything is opened.

It changes nothing and promises nothing: `gateway.sessions.sqlite.file` has the last word.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

Access = Callable[[Path, int], bool]
"""As `os.access`: whether this process may do something with a path."""


def advise_store_file(path: Path, may: Access = os.access) -> Iterator[str]:
    """Say why this process cannot keep a SQLite file at an absolute path."""
    folder = _nearest(path.parent, may)
    if not folder.is_dir():
        yield f"session.store: {folder} is no folder, so {path} cannot be made"
    elif not may(folder, os.W_OK | os.X_OK):
        # SQLite keeps its log beside the file, so that needs the folder too.
        yield f"session.store: this process cannot write in {folder}, where {path} belongs"
    elif not may(path, os.F_OK):
        return
    elif path.is_dir():
        yield f"session.store: {path} is a folder, where a file belongs"
    elif not may(path, os.R_OK | os.W_OK):
        yield f"session.store: this process cannot read and write {path}"


def _nearest(folder: Path, may: Access) -> Path:
    """Find the folder itself or the nearest one above it that is there."""
    return next((each for each in (folder, *folder.parents) if may(each, os.F_OK)), folder)
