"""Says in plain words what pydantic refused.

Pure. Refusals of our own types already speak plainly; the few of pydantic's own are translated.
"""

from collections.abc import Iterator, Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.settings.findings import Finding, Loc, Locate, RefusedError, describe, one_of, quote
from gateway.settings.scalars import Reads
from gateway.settings.walk import Raw, find, value_at

_MAPPING = "a mapping of settings; leave the key out for its defaults"
_WORDS: Mapping[str, str] = {
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "mapping_type": _MAPPING,
    "dict_type": _MAPPING,
    "tuple_type": "a list",
    "too_short": "a list with at least {min_length} entry",
    "too_long": "a list of at most {max_length} entries",
    "literal_error": "{expected}",
    "missing": "a value: this key must be there",
}


def explain(error: ValidationError) -> Iterator[Finding]:
    """Turn each of pydantic's errors into a finding."""
    errors = error.errors(include_url=False)
    for details in errors:
        # pydantic counts only the good entries of a list: one bad entry is not an empty list.
        loc = details["loc"]
        if details["type"] == "too_short" and _holds_another(loc, errors):
            continue
        yield _explain(details)


def _holds_another(loc: Loc, errors: list[ErrorDetails]) -> bool:
    return any(other["loc"] != loc and other["loc"][: len(loc)] == loc for other in errors)


def _explain(details: ErrorDetails) -> Finding:
    loc: Loc = details["loc"]
    context = details.get("ctx", {})
    if details["type"] == "extra_forbidden":
        return _unknown_key(loc)
    if loc and loc[-1] == "[key]":
        loc = loc[:-1]
        found: str | None = f"the name {quote(str(loc[-1]))}"
    else:
        found = "nothing" if details["type"] == "missing" else None
    match context.get("error"):
        case RefusedError() as refusal:
            return Finding(loc, refusal.allowed, refusal.found or found)
    words = _WORDS.get(details["type"], "a value that can be read")
    return Finding(loc, words.format(**context).replace("'", ""), found)


def _unknown_key(loc: Loc) -> Finding:
    key = str(loc[-1])
    spot = find(loc[:-1])
    allowed = one_of(spot.keys if spot else (), key)
    return Finding(loc, allowed, f"the unknown key {quote(key)}")


def show(raw: Raw, loc: Loc, locate: Locate) -> str:
    """Show the value at a place without showing a secret."""
    spot = find(loc)
    is_secret = spot is not None and spot.reads is Reads.SECRET
    return describe(value_at(raw, loc), is_secret=is_secret, written=locate(loc).written)
