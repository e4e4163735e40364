"""What is wrong in the settings, in plain words, and how a value is shown without showing a secret.

Pure. It knows where a value stands (its place in the tree), not what any setting means.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pydantic import SecretBytes, SecretStr

from gateway.errors import Problem

Loc = tuple[str | int, ...]
"""A place in the settings: mapping keys and list positions, from the top."""

SHOWN_CHARACTERS = 80
_USER_INFO = re.compile(r"//[^/\s]*@")
_CHANGE = re.compile("(?=0[aA]|[aA]0|aA)")
_NO_SIGNS = str.maketrans("", "", "+/=_-")
_RUN = re.compile(r"[A-Za-z0-9+/=_-]{20,}")
"""What keys, tokens and platforms' secrets are written in (hex, base64), and how long they are."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written. `written` is its text, where that held a `${NAME}`."""

    file: str | None = None
    line: int | None = None
    written: str | None = None


Locate = Callable[[Loc], Origin]
"""Tells where a place in the tree was written; a missing key stands where its mapping stands."""


def nowhere(_loc: Loc) -> Origin:
    """Locate nothing: for settings that were not read from a file."""
    return Origin()


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem at a place.

    `found` is None for the value that stands there. `origin` is given where the place alone does
    not tell the line. `hides` says that problems at and below the place follow from this one.
    """

    loc: Loc
    allowed: str
    found: str | None = None
    origin: Origin | None = None
    hides: bool = True

    def problem(self, locate: Locate, value: str) -> Problem:
        """Make the problem for the operator; `value` is how the value is shown."""
        origin = self.origin or locate(self.loc)
        found = value if self.found is None else self.found
        return Problem(render(self.loc), origin.line, found, self.allowed, origin.file)


class RefusedError(ValueError):
    """A value cannot be used. `allowed` says what can; `found` replaces the value in the report."""

    def __init__(self, allowed: str, found: str | None = None) -> None:
        super().__init__(allowed)
        self.allowed = allowed
        self.found = found


def render(loc: Loc) -> str:
    """Write a place as operators read it, `routes[0].upstream`; a key may be a stray secret."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{hide_random(part)}"
    return text.removeprefix(".")


def describe(value: object, *, is_secret: bool = False, written: str | None = None) -> str:
    """Say what was found. Neither secrets nor values taken from the environment are shown."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if value is None:
        return "nothing"
    if isinstance(value, SecretStr | SecretBytes):
        return f"a secret of {len(value)} characters"
    if is_secret:
        return f"a secret of {len(str(value))} characters"
    if written is not None:
        return f"{quote(written)} (read as {len(str(value))} characters)"
    return quote(value) if isinstance(value, str) else str(value).lower()


def quote(text: str) -> str:
    """Quote a text for one line: bounded, controls escaped, without what looks like a secret.

    A secret stands in a wrong place now and then; nothing else that is said of it needs its text.
    """
    shown = hide_random(_USER_INFO.sub("//***@", text))
    if len(shown) > SHOWN_CHARACTERS:
        shown = shown[:SHOWN_CHARACTERS] + "…"
    return repr(shown)


def hide_random(text: str) -> str:
    """Put `***` for what looks like a key, a token or a platform's secret."""
    return _RUN.sub(_hide, text)


def _hide(run: re.Match[str]) -> str:
    """Hide a run that often changes between letters and digits, or small and capital ones.

    Random ones do so at every third character, names and paths hardly at all.
    """
    kinds = "".join(map(_kind, run[0].translate(_NO_SIGNS)))
    changes = len(_CHANGE.findall(kinds))
    return "***" if changes * 5 >= len(kinds) else run[0]


def _kind(character: str) -> str:
    if character.isdigit():
        return "0"
    return "A" if character.isupper() else "a"


def one_of(names: Iterable[str], found: str | None = None) -> str:
    """List what may stand here, and the nearest to what was found."""
    known = sorted(names)
    near = difflib.get_close_matches(found, known, n=1) if found is not None else []
    hint = f"did you mean {hide_random(near[0])!r}? " if near else ""
    return hint + ("one of: " + hide_random(", ".join(known)) if known else "none is defined")
