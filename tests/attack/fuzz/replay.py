"""Replays a corpus under coverage.py: `python -m tests.attack.fuzz.replay FUZZER FOLDER`.

It prints JSON: by module of the fuzzer's, branches taken and branches there are.
"""

import importlib
import importlib.util
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import coverage


def main(name: str, folder: Path) -> None:
    """Measure while the modules are imported, then give every input to the fuzzer."""
    measured = coverage.Coverage(
        branch=True, data_file=None, config_file=False, source_pkgs=["gateway"]
    )
    measured.start()
    fuzzer = importlib.import_module(f"tests.attack.fuzz.{name}").FUZZER
    for data in (*fuzzer.seeds, *(each for _, each in fuzzer.cases()), *_inputs(folder)):
        fuzzer.check(data)
    measured.stop()
    print(json.dumps(_branches(measured, fuzzer.modules)))


def _inputs(folder: Path) -> Iterator[bytes]:
    return (path.read_bytes() for path in sorted(folder.glob("*")) if path.is_file())


def _branches(measured: coverage.Coverage, modules: Sequence[str]) -> dict[str, tuple[int, int]]:
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        measured.json_report(outfile=report.name)
        files = json.load(report)["files"]
    totals = {str(Path(path).resolve()): each["summary"] for path, each in files.items()}
    found = {}
    for module in modules:
        spec = importlib.util.find_spec(module)
        assert spec is not None
        summary = totals[str(Path(spec.origin or "").resolve())]
        found[module] = (summary["covered_branches"], summary["num_branches"])
    return found


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
