"""Making settings, or listing everything that is wrong."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import SettingsError
from gateway.settings import build
from gateway.settings.findings import Finding, Loc, Origin

Raw = dict[str, object]
KEYS = ("environment", "server", "admin", "apps", "routes", "upstreams", "session", "identity")


def test_problems_come_in_the_order_of_the_file() -> None:
    """By line, each once."""
    lines = {"server": 9, "admin": 3}

    def locate(loc: Loc) -> Origin:
        return Origin("g.yaml", lines[str(loc[0])])

    raw: Raw = {"environment": "development", "server": 1, "admin": 2}
    with pytest.raises(SettingsError) as caught:
        build(raw, locate=locate)
    assert [problem.line for problem in caught.value.problems] == [3, 9]


def test_what_follows_from_a_known_problem_is_not_told() -> None:
    """A secret that could not be read is not also missing; a second key hides nothing."""
    raw: Raw = {"environment": "development", "apps": {"a": {"platform": "x", "secret": None}}}
    unread = Finding(("apps", "a", "secret"), "a file", "none")
    again = Finding(("apps",), "each key once", "apps again", hides=False)
    with pytest.raises(SettingsError) as caught:
        build(raw, already=[unread, again])
    paths = [problem.path for problem in caught.value.problems]
    assert paths == ["apps.a.secret", "apps", "apps.a.platform"]


def test_the_log_is_text_in_development() -> None:
    """Unless the file says otherwise, and whatever else it says of logs."""
    assert build({"environment": "development"}).logs.format == "text"
    logs: Raw = {"level": "debug"}
    assert build({"environment": "development", "logs": logs}).logs.format == "text"
    logs = {"format": "json"}
    assert build({"environment": "development", "logs": logs}).logs.format == "json"
    with pytest.raises(SettingsError, match=r"logs: found 5"):
        build({"environment": "development", "logs": 5})


_DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("a", "path", "upstream", "targets", "tls", "host")), inner
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(KEYS), _DATA))
def test_no_data_fails_in_another_way(raw: Raw) -> None:
    """Whatever is written, there are settings or a list of problems."""
    with contextlib.suppress(SettingsError):
        build(raw)
