"""What the tests of the settings share: a small valid file, and the problems of a wrong one."""

from collections.abc import Callable

import pytest

from gateway.errors import Problem, SettingsError
from gateway.settings import build

Raw = dict[str, object]


@pytest.fixture
def refused() -> Callable[[Raw], dict[str, Problem]]:
    """Give a function that builds wrong settings and returns the problems by path."""

    def build_wrong(raw: Raw) -> dict[str, Problem]:
        with pytest.raises(SettingsError) as caught:
            build(raw)
        return {problem.path: problem for problem in caught.value.problems}

    return build_wrong


@pytest.fixture
def dev() -> Callable[..., Raw]:
    """Give a function that makes development settings with one app and one upstream."""

    def make(**parts: object) -> Raw:
        return {
            "environment": "development",
            "apps": {"shop": {"platform": "wechat", "app_id": "wx1", "secret": "s"}},
            "upstreams": {"echo": {"targets": ["http://127.0.0.1:8091"]}},
            **parts,
        }

    return make
