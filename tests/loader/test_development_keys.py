"""The keys of a development gateway."""

import multiprocessing
from pathlib import Path

import pytest

from gateway.errors import SettingsError
from gateway.loader.development_keys import load_or_make
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


def _keys_of(path: str) -> str:
    keys = load_or_make(Path(path))
    return keys.signing_keys[0].get_secret_value()


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    """The first to write wins, and the others read its keys."""
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        found = pool.map(_keys_of, [str(tmp_path / "data/keys.json")] * 6, chunksize=1)
    assert len(set(found)) == 1


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
