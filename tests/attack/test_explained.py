"""`gateway explain` says what the gateway does, on every row that is one well-formed request."""

from collections.abc import Iterator

import pytest

from tests.attack.agreement import Explainers, compare, differences, explainable, request_of
from tests.attack.catalogue import cases
from tests.attack.judge import observe
from tests.attack.legitimate import CASES as LEGITIMATE
from tests.attack.model import Case, forwarded, request
from tests.attack.stages import Stages

ALL = tuple(cases())
ROWS = tuple(dict.fromkeys(each.row for each in ALL))


@pytest.fixture(scope="module")
def explainers() -> Iterator[Explainers]:
    """What decides, opened once for each stage."""
    with Explainers() as opened:
        yield opened


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_explained(row: str, stages: Stages, explainers: Explainers) -> None:
    """The decision, and what a service is sent, are those of the gateway itself."""
    of_row = [each for each in ALL if each.row == row]
    assert compare(of_row, stages, explainers).differences == ()


def test_legitimate_requests_are_explained(stages: Stages, explainers: Explainers) -> None:
    """Odd as they are."""
    found = compare(LEGITIMATE, stages, explainers)
    assert found.differences == ()
    assert found.agreed > 100


OTHERS = (
    (request(line=b"GET /public/y HTTP/1.1"), "another target"),
    (request(line=b"POST /public/x HTTP/1.1"), "another method"),
    (request(b"X-Custom: a"), "a field that did not arrive"),
    (request(host=b"Host: other.test"), "another Host"),
    (request(line=b"GET /admin/x HTTP/1.1"), "a refusal, but it arrived"),
    (request(line=b"GET /login HTTP/1.1"), "a refusal of our own endpoint's"),
    (request(line=b"GET /session HTTP/1.1"), "our own endpoint, but it arrived"),
    (request(line=b"GET /nothing HTTP/1.1"), "no route, but it arrived"),
)


@pytest.mark.parametrize(("data", "why"), OTHERS)
def test_a_difference_is_seen(
    data: bytes, why: str, stages: Stages, explainers: Explainers
) -> None:
    """Each of these is another request than the one it is held against."""
    stage = stages.get("usual")
    plain, other = (next(explainable([_case_of(each)])) for each in (request(), data))
    asked, other_asked = request_of(plain, stage), request_of(other, stage)
    assert asked is not None
    assert other_asked is not None
    assert [*differences(explainers.explain(stage, asked), observe(plain, stage))] == []
    assert [*differences(explainers.explain(stage, other_asked), observe(plain, stage))] != [], why
    assert [*differences(explainers.explain(stage, asked), observe(other, stage))] != [], why


def _case_of(data: bytes, *, explained: bool | None = None) -> Case:
    return Case(row="X", title="x", send=data, expect=forwarded(), explained=explained)


@pytest.mark.parametrize(
    ("data", "is_one", "why"),
    [
        (request(), True, "a plain request"),
        (request(b"Content-Length: 2", body=b"ab"), True, "with its body"),
        (request(line=b"GET /x HTTP/1.0"), True, "HTTP/1.0"),
        (request(line=b"GET /x HTTP/1.0", host=b""), True, "which needs no Host"),
        (request(b"X_OpenId: evil"), True, "odd names are names"),
        (request(line=b"GET /public/../x HTTP/1.1"), True, "odd targets are targets"),
        (request(b"Content-Length: 2", body=b"a"), False, "half a body"),
        (request() + request(), False, "two"),
        (request(host=b""), False, "HTTP/1.1 without a Host"),
        (request(b"bad name: x"), False, "no field"),
        (request(line=b"GET  /x HTTP/1.1"), False, "two spaces"),
        (request(line=b"GET /\xe4 HTTP/1.1"), False, "a target of bytes"),
        (request()[:-2], False, "half a head"),
    ],
)
def test_what_can_be_explained(data: bytes, is_one: bool, why: str, stages: Stages) -> None:
    """One whole request, as RFC 9112 writes it."""
    (variant,) = explainable([_case_of(data)])
    assert (request_of(variant, stages.get("usual")) is not None) is is_one, why


def test_a_case_may_say_so_itself(stages: Stages) -> None:
    """Either way; and what comes in pieces never is."""
    assert [*explainable([_case_of(request(), explained=False)])] == []
    pieces = Case(row="X", title="x", send=(request()[:9], request()[9:]), expect=forwarded())
    assert [*explainable([pieces])] == []
    (variant,) = explainable([_case_of(request(host=b""), explained=True)])
    assert request_of(variant, stages.get("usual")) is not None
