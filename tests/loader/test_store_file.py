"""Whether the session store's file can be used."""

import os
from pathlib import Path

import pytest

from gateway.loader.store_file import Access, advise_store_file


def without(what: Path, right: int) -> Access:
    """Refuse one right to one path: the superuser, who may run the tests, has them all."""

    def may(path: Path, mode: int) -> bool:
        return not (path == what and mode & right) and os.access(path, mode)

    return may


@pytest.mark.parametrize("path", ["gateway.db", "new/gateway.db", "new/newer/gateway.db"])
def test_a_file_that_can_be_made_is_good(tmp_path: Path, path: str) -> None:
    """Its folders are made at start-up; a check makes none."""
    assert not list(advise_store_file(tmp_path / path))
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_there_is_good(tmp_path: Path) -> None:
    """It is not opened."""
    (tmp_path / "gateway.db").touch()
    assert not list(advise_store_file(tmp_path / "gateway.db"))


def test_a_name_nobody_can_give_is_left_to_the_store(tmp_path: Path) -> None:
    """It does not end the check."""
    assert not list(advise_store_file(tmp_path / ("x" * 300)))


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    """A common slip: the folder is given instead of the file."""
    [told] = advise_store_file(tmp_path)
    assert told == f"session.store: {tmp_path} is a folder, where a file belongs"


@pytest.mark.parametrize("below", ["gateway.db", "new/gateway.db"])
def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path, below: str) -> None:
    """At any height."""
    (tmp_path / "data").touch()
    path = tmp_path / "data" / below
    [told] = advise_store_file(path)
    assert told == f"session.store: {tmp_path / 'data'} is no folder, so {path} cannot be made"


@pytest.mark.parametrize("right", [os.W_OK, os.X_OK])
@pytest.mark.parametrize("below", ["gateway.db", "new/newer/gateway.db"])
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, below: str, right: int) -> None:
    """The nearest that is there, since the others would be made in it."""
    path = tmp_path / below
    [told] = advise_store_file(path, without(tmp_path, right))
    assert told == f"session.store: this process cannot write in {tmp_path}, where {path} belongs"


@pytest.mark.parametrize("right", [os.R_OK, os.W_OK])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, right: int) -> None:
    """Of another user, say."""
    path = tmp_path / "gateway.db"
    path.touch()
    [told] = advise_store_file(path, without(path, right))
    assert told == f"session.store: this process cannot read and write {path}"
