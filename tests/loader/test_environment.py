"""`${NAME}` in one scalar."""

import pytest

from gateway.loader.environment import expand
from gateway.settings.findings import RefusedError

ENVIRON = {"A": "1", "EMPTY": "", "NESTED": "${A}", "BAD": "\udcff"}


@pytest.mark.parametrize(
    ("text", "expanded", "why"),
    [
        ("plain", "plain", "nothing to expand"),
        ("$A ${", None, "no end"),
        ("x${A}y${A}", "x1y1", "twice, within text"),
        ("${EMPTY}", "", "set, but empty"),
        ("${EMPTY:-d}", "d", "the shell's :- takes the default for empty too"),
        ("${B:-d}", "d", "a default"),
        ("${B:-}", "", "an empty default"),
        ("${B:-a:-b}", "a:-b", "a default with the sign in it"),
        ("${NESTED}", "${A}", "what was read is not read again (attacks.md X3)"),
        ("${B:-$A}", "$A", "nor is a default"),
        ("$${A}", "${A}", "a plain ${"),
        ("$$${A}", "$${A}", "a dollar before it"),
        ("$A $", "$A $", "a dollar alone"),
        ("${B}", None, "not set"),
        ("${}", None, "no name"),
        ("${1A}", None, "no name either"),
        ("${A-d}", None, "another sign"),
        ("${BAD}", None, "bytes that are not UTF-8"),
    ],
)
def test_a_scalar_is_expanded_once(text: str, expanded: str | None, why: str) -> None:
    """None: refused, with what is allowed."""
    if expanded is None:
        with pytest.raises(RefusedError):
            expand(text, ENVIRON)
    else:
        assert expand(text, ENVIRON).text == expanded, why


def test_a_missing_variable_is_named() -> None:
    """The operator learns what to set."""
    with pytest.raises(RefusedError) as caught:
        expand("${WECHAT_SECRET}", {})
    assert caught.value.found == "${WECHAT_SECRET}, which is not set"
    assert "WECHAT_SECRET" in caught.value.allowed


def test_a_broken_text_is_not_shown() -> None:
    """It may be a secret with a `${` in it."""
    with pytest.raises(RefusedError) as caught:
        expand("hunter2${", {})
    assert "hunter2" not in f"{caught.value.found}{caught.value.allowed}"


def test_what_came_from_the_environment_is_marked() -> None:
    """A default stands in the file, so it may be shown."""
    assert expand("${A}", ENVIRON).is_from_environment
    assert not expand("${B:-d}", ENVIRON).is_from_environment
    assert not expand("$${A}", ENVIRON).is_from_environment
