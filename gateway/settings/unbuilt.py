"""Settings that are promised but not yet kept by this version.

Pure. Taking one in silence would be a lie to an operator, so each is refused unless it says what
happens anyway. Who builds one deletes its row.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from gateway.settings.findings import Finding, Loc
from gateway.settings.walk import Raw, entries, find, value_at

ALLOWED = "not yet enforced by this version, leave it out"


def _only_default(_value: object) -> bool:
    return False


def _switched_off(value: object) -> bool:
    return value is None


# The place (`*` is any name or position) and which values besides the default are kept already.
UNBUILT: Mapping[Loc, Callable[[object], bool]] = {
    ("server", "proxy_protocol"): _only_default,
    ("server", "tls"): _only_default,
    ("endpoints", "decrypt"): _switched_off,
    ("endpoints", "phone"): _only_default,
    ("endpoints", "auth"): _switched_off,
    ("endpoints", "jwks"): _switched_off,
    ("session", "cookie"): _only_default,
    ("login", "callback"): _only_default,
    ("decrypt",): _only_default,
    ("identity",): _only_default,
    ("apps", "*", "phone_private_key"): _only_default,
    ("routes", "*", "rate_limit"): _only_default,
    ("routes", "*", "identity"): _only_default,
    ("routes", "*", "assertion"): _only_default,
    ("reserved", "allow"): _only_default,
}


def find_unbuilt(raw: Raw, base: Path) -> Iterator[Finding]:
    """Find the settings that ask for something this version does not do."""
    for pattern, is_kept in UNBUILT.items():
        for loc in _places(raw, pattern):
            if not _is_true(raw, loc, base, is_kept):
                yield Finding(loc, ALLOWED)


def _places(raw: Raw, pattern: Loc, start: Loc = ()) -> Iterator[Loc]:
    """Find the places a pattern names that are really written in the settings."""
    if not pattern:
        yield start
        return
    for loc, _ in list(entries(raw, *start)):
        if pattern[0] in ("*", loc[-1]):
            yield from _places(raw, pattern[1:], loc)


def _is_true(raw: Raw, loc: Loc, base: Path, is_kept: Callable[[object], bool]) -> bool:
    spot = find(loc)
    if spot is None or spot.field is None:
        return True
    adapter = _adapter(spot.field)
    written = value_at(raw, loc)
    try:
        value = adapter.validate_python(written, context={"base": base})
    except ValidationError:
        # A mapping is refused whatever stands in it; a slip in one value is told as such.
        return not isinstance(written, Mapping)
    default = adapter.validate_python(spot.field.get_default(), context={"base": base})
    return value == default or is_kept(value)


def _adapter(field: FieldInfo) -> TypeAdapter[object]:
    annotation: type[object] = field.rebuild_annotation()
    return TypeAdapter(annotation)
