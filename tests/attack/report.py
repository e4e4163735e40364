"""The page the suite writes: one section for each part, replaced when that part has run.

It must not know what a part measures.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "attack-report.md"


@dataclass(frozen=True, slots=True)
class Section:
    """A part's words (Markdown, without its heading) and what failed in it, a line each."""

    title: str
    text: str
    failures: tuple[str, ...] = ()


def put(page: str, section: Section) -> str:
    """Replace a section of the page, or add it at the end."""
    heading = f"## {section.title}\n"
    written = f"{heading}\n{section.text.strip()}\n"
    if heading not in page:
        return f"{page.rstrip()}\n\n{written}"
    before, _, rest = page.partition(heading)
    _, mark, after = rest.partition("\n## ")
    return f"{before}{written}" + (f"\n## {after}" if mark else "")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a Markdown table; bars within a cell are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(each) for each in line)} |\n" for line in lines)


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
