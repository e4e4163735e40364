"""No spelling of an identity header reaches a variable of a service that folds names."""

from collections.abc import Iterator

import pytest

from tests.attack.folding import (
    STYLES,
    Folding,
    cases,
    check_own,
    check_real,
    folding_services,
    variables_amiss,
)
from tests.attack.services.programs import FOLDING, LIGHTTPD
from tests.attack.services.running import Program

EVERY = cases()
FEW = [each for each in EVERY if (each.route, each.carried) == ("required", "valid")][::3]
"""For CGI, which starts a process for each request; our own CGI-style one takes all."""
IDENTITY = ((b"X-OpenId", b"o-1"),)


@pytest.fixture(scope="module")
def folding() -> Iterator[Folding]:
    """A gateway, and behind it the services that are installed."""
    with folding_services() as running:
        yield running


def test_programs_that_follow_the_rules(folding: Folding) -> None:
    """What arrived, folded as WSGI, PHP and CGI do, holds exactly the session's identity."""
    assert [*check_own(EVERY, folding)] == []


@pytest.mark.parametrize("program", FOLDING, ids=lambda each: each.name)
def test_real_services(program: Program, folding: Folding) -> None:
    """So do the variables of real servers."""
    if not program.is_here:
        pytest.skip(f"{program.needs} is not installed")
    (service,) = (each for each in folding.services if each.name == program.name)
    assert [*check_real(FEW if program is LIGHTTPD else EVERY, folding, service)] == []


@pytest.mark.parametrize(
    ("style", "name"),
    [
        ("own, as WSGI", b"x-openid"),
        ("own, as PHP", b"X.OpenId"),
        ("own, as PHP", b"X[OpenId"),
        ("own, as PHP", b"X_OpenId"),
        ("own, as CGI", b"X~OpenId"),
    ],
)
def test_each_style_folds(style: str, name: bytes) -> None:
    """The programs written here would be taken in: these spellings are one variable."""
    assert [*STYLES[style]([(name, b"o-1")])] == [("HTTP_X_OPENID", "o-1")]


@pytest.mark.parametrize(
    ("variables", "amiss"),
    [
        ([("HTTP_X_OPENID", "o-1")], []),
        ([], ["x-openid did not arrive"]),
        ([("HTTP_X_OPENID", "o-2")], ["HTTP_X_OPENID is not the session's"]),
        (
            [("HTTP_X_OPENID", "o-1"), ("HTTP_X~OPENID", "o-1")],
            ["HTTP_X~OPENID is not the session's"],
        ),
        (
            [("HTTP_X_OPENID", "o-1"), ("HTTP_REMOTE_USER", "evil")],
            ["the attacker's value is in HTTP_REMOTE_USER"],
        ),
        (
            [("HTTP_X_OPENID", "o-1"), ("HTTP_X_WX_SOURCE", "s")],
            ["HTTP_X_WX_SOURCE is a name that only a gateway says"],
        ),
    ],
)
def test_what_is_amiss(variables: list[tuple[str, str]], amiss: list[str]) -> None:
    """Another value, another spelling, an attacker's value and a missing name are all told."""
    assert [*variables_amiss(variables, IDENTITY)] == amiss
