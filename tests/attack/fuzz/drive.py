"""Runs one fuzzer under atheris until its time is over or something is found; a process of its own.

`python -m tests.attack.fuzz.drive FUZZER FAULT|- FOLDER [libFuzzer's options] CORPUS…`: FOLDER
takes the dictionary and the seeds. libFuzzer ends the process itself: 77 for what an oracle says.
"""

import importlib
import sys
from pathlib import Path

import atheris

from tests.attack.fuzz.fuzzer import Fuzzer

_FOUND = 77
"""libFuzzer's own exit code for an input that breaks something."""


def main(name: str, fault: str, folder: Path, words: list[str]) -> None:
    """Instrument the gateway as it is imported, plant a fault if one is asked for, and run."""
    with atheris.instrument_imports(include=["gateway"]):
        fuzzer: Fuzzer = importlib.import_module(f"tests.attack.fuzz.{name}").FUZZER
        if fault != "-":
            from tests.attack.fuzz.faults import FAULTS

            FAULTS[fault].plant()
    seeds = _prepare(fuzzer, folder, has_cases=fault == "-")
    own = [f"-dict={folder / 'words'}", f"-max_len={fuzzer.max_bytes}"]
    atheris.Setup([sys.argv[0], *own, *words, str(seeds)], fuzzer.check)
    atheris.Fuzz()


def _prepare(fuzzer: Fuzzer, folder: Path, *, has_cases: bool) -> Path:
    """Write dictionary and seeds; who is to find a planted fault is not given what was found once.

    The seeds' folder comes last, so what is new lands in the corpus.
    """
    seeds = folder / "seeds"
    seeds.mkdir(parents=True, exist_ok=True)
    found = [data for _, data in fuzzer.cases()] if has_cases else []
    for number, data in enumerate([*fuzzer.seeds, *found]):
        (seeds / f"{number:04}").write_bytes(data)
    (folder / "words").write_text("".join(f'"{_escaped(each)}"\n' for each in fuzzer.words))
    return seeds


def _escaped(word: bytes) -> str:
    """Write a word as libFuzzer's dictionaries do."""
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
