"""How commands begin and end: the settings they need, and exit code 1 with one line."""

from pathlib import Path

import click
import pytest

from gateway.commands import load_or_end, run_or_end
from gateway.errors import GatewayError, Problem, SettingsError
from gateway.supervisor.process import WorkerFailedError


def test_good_settings_are_loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Warnings go to stderr, where no output is mixed up with them."""
    path = tmp_path / "gateway.yaml"
    path.write_text("environment: development\nendpoints: {hosts: [a.b]}\n")
    assert load_or_end(path).settings.endpoints.hosts == ("a.b",)
    assert capsys.readouterr().out == ""


def test_bad_settings_end_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each problem on a line, then how many."""
    path = tmp_path / "gateway.yaml"
    path.write_text("environment: development\nserver: {workers: -1, nonsense: 1}\n")
    with pytest.raises(SystemExit) as ended:
        load_or_end(path)
    lines = capsys.readouterr().err.splitlines()
    assert (ended.value.code, len(lines)) == (1, 3)
    assert lines[-1] == f"{path}: refused: 2 problems"


async def fail(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (GatewayError("store_unavailable", "it is away"), "store_unavailable: it is away"),
        (OSError(98, "Address already in use"), "Address already in use (at this)"),
        (WorkerFailedError("worker 1 did not start"), "worker 1 did not start"),
    ],
)
def test_what_cannot_be_had_is_one_line(error: Exception, said: str) -> None:
    """Not a traceback: it is the machine's state, not a fault."""
    with pytest.raises(click.ClickException) as ended:
        run_or_end(fail(error), "at this")
    assert ended.value.exit_code == 1
    assert ended.value.message.startswith(said)


def test_settings_found_bad_later_are_told_alike(capsys: pytest.CaptureFixture[str]) -> None:
    """What only the store can know, such as a key that is still needed."""
    problem = Problem("session.encryption_keys", None, "one too few", "all that are needed")
    with pytest.raises(SystemExit) as ended:
        run_or_end(fail(SettingsError([problem])), config=Path("live.yaml"))
    assert ended.value.code == 1
    assert capsys.readouterr().err.endswith("live.yaml: refused: 1 problem\n")


def test_what_a_command_returns() -> None:
    """Its result, on an event loop of its own."""

    async def answer() -> int:
        return 42

    assert run_or_end(answer()) == 42
