"""Reading files that settings name."""

import os
from pathlib import Path

import pytest

from gateway.loader.files import decode, read_bounded
from gateway.settings.findings import RefusedError


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    """One byte more is refused."""
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_bounded(path, 5).content == b"12345"
    with pytest.raises(RefusedError, match="at most 4 bytes"):
        read_bounded(path, 4)


@pytest.mark.parametrize(
    ("mode", "is_readable", "is_writable"),
    [
        (0o600, False, False),
        (0o660, False, False),
        (0o644, True, False),
        (0o602, False, True),
        (0o666, True, True),
    ],
)
def test_it_is_told_what_everybody_may_do(
    tmp_path: Path, mode: int, is_readable: bool, is_writable: bool
) -> None:
    """Reading a secret and changing settings are worth a warning."""
    path = tmp_path / "a"
    path.write_bytes(b"x")
    path.chmod(mode)
    file = read_bounded(path, 5)
    assert (file.is_world_readable, file.is_world_writable) == (is_readable, is_writable)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, a pipe nobody writes to, nothing, a name too long: none holds up the start."""
    os.mkfifo(tmp_path / "pipe")
    for name in (".", "pipe", "missing", "x" * 5000, "a\0b"):
        with pytest.raises(RefusedError):
            read_bounded(tmp_path / name, 5)


def test_text_is_utf_8(tmp_path: Path) -> None:
    """With or without a byte order mark."""
    assert decode(tmp_path, b"\xef\xbb\xbf\xe4\xbd\xa0") == "你"
    with pytest.raises(RefusedError, match="UTF-8"):
        decode(tmp_path, b"\xff\xfe")
