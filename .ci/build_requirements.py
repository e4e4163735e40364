"""Print what building the wheel needs, a line each: pyproject's `build-system.requires`."""

import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def main() -> None:
    """Print them, as a requirements file has them."""
    requires = tomllib.loads(PROJECT.read_text())["build-system"]["requires"]
    sys.stdout.write("".join(f"{each}\n" for each in requires))


if __name__ == "__main__":
    main()
