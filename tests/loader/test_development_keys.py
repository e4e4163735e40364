"""The keys of a development gateway."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import SettingsError
from gateway.loader.development_keys import load_or_make, make
from gateway.settings import build
from gateway.settings.findings import RefusedError


def test_keys_are_made_once(tmp_path: Path) -> None:
    """The file is for its owner only, and nothing else is left behind."""
    path = tmp_path / "data/keys.json"
    keys = load_or_make(path)
    assert load_or_make(path) == keys
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_production_refuses_them(tmp_path: Path) -> None:
    """Wherever they were copied from."""
    keys = load_or_make(tmp_path / "keys.json")
    session = {
        "signing_keys": list(keys.signing_keys),
        "encryption_keys": list(keys.encryption_keys),
    }
    build({"environment": "development", "session": session})
    with pytest.raises(SettingsError) as caught:
        build({"session": session})
    assert [problem.found for problem in caught.value.problems] == [
        "a key made for development",
        "a key made for development",
    ]


_PROGRAM = """
import sys
from pathlib import Path
from gateway.loader.development_keys import load_or_make
sys.stdin.readline()
load_or_make(Path(sys.argv[1]))
"""


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    """The first to write wins, and the others read its keys."""
    path = tmp_path / "data/keys.json"
    command = [sys.executable, "-c", _PROGRAM, str(path)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(3)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.close()
    assert [process.wait(30) for process in processes] == [0, 0, 0]
    assert list(path.parent.iterdir()) == [path]
    load_or_make(path)


def test_who_comes_second_reads_the_keys_of_the_first(tmp_path: Path) -> None:
    """Both saw no file; the name is taken when the second has written its draft."""
    path = tmp_path / "keys.json"
    first = load_or_make(path)
    make(path)
    assert load_or_make(path) == first
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"signing_keys": [], "encryption_keys": []}', "[" * 20000, "\udcff"],
)
def test_a_broken_file_is_refused_with_the_remedy(tmp_path: Path, content: str) -> None:
    """New keys would end every session: that is the developer's choice."""
    path = tmp_path / "keys.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(RefusedError, match="remove the file"):
        load_or_make(path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A file stands in the way."""
    (tmp_path / "data").write_text("")
    with pytest.raises(RefusedError, match="folder"):
        load_or_make(tmp_path / "data/keys.json")
