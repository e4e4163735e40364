"""A gateway without its compiled parts does not start, and says why."""

from pathlib import Path

import pytest

from gateway.loader.compiled import missing_parts
from tests.support.commands import TOP, run

SETTINGS = "environment: development\n"


def test_nothing_is_missing_here() -> None:
    """The tests run on what production runs on."""
    assert list(missing_parts()) == []


@pytest.mark.parametrize("command", ["serve", "dev", "check"])
async def test_without_the_parser_in_c_it_does_not_start(tmp_path: Path, command: str) -> None:
    """The parser in Python takes what the one in C refuses."""
    (tmp_path / "gateway.yaml").write_text(SETTINGS)
    finished = await run(tmp_path, command, env={"AIOHTTP_NO_EXTENSIONS": "1"})
    assert finished.code == 1
    assert "aiohttp's parser in C is missing" in finished.err
    assert "Traceback" not in finished.err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("command", ["serve", "dev"])
@pytest.mark.parametrize("name", ["httptools", "uvloop"])
async def test_without_a_compiled_part_it_does_not_start(
    tmp_path: Path, name: str, command: str
) -> None:
    """It is named, instead of a traceback."""
    (tmp_path / "gateway.yaml").write_text(SETTINGS)
    (tmp_path / f"{name}.py").write_text("raise ImportError\n")
    path = {"PYTHONPATH": f"{tmp_path}:{TOP}"}
    finished = await run(tmp_path, command, env=path)
    assert finished.code == 1
    assert f"{name}, " in finished.err
    assert "Traceback" not in finished.err
