"""Runs one fuzzer in a process of its own and reads what libFuzzer says of it.

It must not know what is fuzzed.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).parents[3]
HANG_S = 10
_STATUS = re.compile(r"^#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+) corp: (\d+)/", re.MULTILINE)
_EXECUTED = re.compile(r"^stat::number_of_executed_units:\s*(\d+)", re.MULTILINE)
_WRITTEN = re.compile(r"Test unit written to (\S+)")
_SAID = (
    re.compile(r"Uncaught Python exception: ===\n(.*)"),
    re.compile(r"SUMMARY: libFuzzer: (.*)"),
)
"""What broke, in the oracle's words; or libFuzzer's own, of hangs and the like."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run came to. `edges` and `features` are libFuzzer's `cov:` and `ft:`.

    `finding` says what broke, `found` is the input; None where nothing did.
    """

    name: str
    executions: int
    seconds: float
    edges: int
    features: int
    inputs: int
    finding: str | None
    found: bytes | None


class FuzzerFailedError(Exception):
    """The fuzzer itself did not run."""


def hunt(name: str, seconds: float, folder: Path, fault: str = "-", seed: int = 0) -> Ran:
    """Run a fuzzer for so long, or until it finds something; its corpus is kept in the folder.

    `seed` 0 lets libFuzzer choose. Raises: FuzzerFailedError.
    """
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    words = [
        *(sys.executable, "-m", "tests.attack.fuzz.drive", name, fault, str(folder)),
        *(f"-max_total_time={max(1, round(seconds))}", f"-timeout={HANG_S}", f"-seed={seed}"),
        *("-rss_limit_mb=2048", "-print_final_stats=1", "-reload=0", "-verbosity=1"),
        *(f"-artifact_prefix={folder}/", str(corpus)),
    ]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-scratch-") as scratch:
        # libFuzzer ends its process at once: nobody in it clears up behind himself.
        done = subprocess.run(
            words,
            cwd=TOP,
            env={**os.environ, "TMPDIR": scratch},
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
        )
    return read_run(name, time.monotonic() - begun, done.stderr + done.stdout, done.returncode)


def read_run(name: str, seconds: float, said: str, code: int) -> Ran:
    """Read libFuzzer's words. Raises: FuzzerFailedError."""
    executed = _EXECUTED.findall(said)
    if not executed:
        raise FuzzerFailedError(f"{name} did not run: {said[-2000:]}")
    _, edges, features, inputs = (_STATUS.findall(said) or [("0", "0", "0", "0")])[-1]
    written = _WRITTEN.search(said)
    told = [match[1] for match in (each.search(said) for each in _SAID) if match is not None]
    return Ran(
        name,
        int(executed[-1]),
        seconds,
        int(edges),
        int(features),
        int(inputs),
        None if code == 0 else (told or ["something"])[0],
        None if written is None else Path(written[1]).read_bytes(),
    )


def covered(name: str, folder: Path) -> dict[str, tuple[int, int]]:
    """Replay a corpus: branches taken and branches there are, by module."""
    words = [sys.executable, "-m", "tests.attack.fuzz.replay", name, str(folder / "corpus")]
    done = subprocess.run(words, cwd=TOP, capture_output=True, text=True, check=True)
    found: dict[str, tuple[int, int]] = json.loads(done.stdout)
    return found
