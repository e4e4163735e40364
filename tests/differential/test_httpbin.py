"""A real web application answers through the gateway as it answers directly, byte for byte."""

from itertools import chain

import pytest

from tests.differential import answers_table, requests_table
from tests.differential.cases import Case
from tests.differential.comparing import Door, differ
from tests.support.raw import Message

TABLES = {**requests_table.TABLES, **answers_table.TABLES}
CASES = [
    pytest.param(case, id=f"{table}: {case.name}"[:90])
    for table, cases in TABLES.items()
    for case in cases
]
PIPELINE = 12
"""More than aiohttp keeps ready of one connection."""


@pytest.mark.asyncio(loop_scope="package")
@pytest.mark.parametrize("case", CASES)
async def test_an_answer_is_the_same_through_the_gateway(doors: list[Door], case: Case) -> None:
    """Status, headers in order and case, length and body; with a session, without, on a socket."""
    for door in doors:
        difference = await door.compare(case)
        assert not difference, "\n".join(difference)


@pytest.mark.asyncio(loop_scope="package")
@pytest.mark.parametrize("start", range(0, 240, PIPELINE * 2))
async def test_pipelined_answers_are_the_same(doors: list[Door], start: int) -> None:
    """Requests of all kinds in one packet: each answer is its own, in order."""
    able = [case for case in chain(*TABLES.values()) if _may_be_pipelined(case)]
    for door in doors:
        difference = await door.compare_pipelined(able[start::20][:PIPELINE])
        assert not difference, "\n".join(difference)


def _may_be_pipelined(case: Case) -> bool:
    is_last = any(line.lower().startswith("connection:") for line in case.lines)
    return case.version == "1.1" and not case.waits and not is_last and len(case.body) < 10000


def _answer(line: str, *fields: tuple[str, str], body: bytes = b"") -> list[Message]:
    return [Message(line, fields, body)]


USUAL = _answer("HTTP/1.1 200 OK", ("A", "1"), ("B", "2"), ("A", "3"), ("Date", "x"), body=b"ab")


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        pytest.param(USUAL, True, id="the same"),
        pytest.param(
            _answer(
                "HTTP/1.1 200 OK",
                *(("A", "1"), ("X-Request-Id", "1"), ("B", "2"), ("A", "3"), ("Date", "y")),
                body=b"ab",
            ),
            True,
            id="our id, another second",
        ),
        pytest.param(
            _answer("HTTP/1.1 200 ok", *USUAL[0].fields, body=b"ab"), False, id="a reason"
        ),
        pytest.param(_answer("HTTP/1.1 200 OK", *USUAL[0].fields, body=b"aB"), False, id="a byte"),
        pytest.param(
            _answer("HTTP/1.1 200 OK", *reversed(USUAL[0].fields), body=b"ab"), False, id="order"
        ),
        pytest.param(
            _answer("HTTP/1.1 200 OK", ("a", "1"), *USUAL[0].fields[1:], body=b"ab"),
            False,
            id="case",
        ),
        pytest.param(
            _answer("HTTP/1.1 200 OK", *USUAL[0].fields[1:], body=b"ab"), False, id="one too few"
        ),
        pytest.param(
            _answer("HTTP/1.1 200 OK", *USUAL[0].fields[:3], body=b"ab"), False, id="no date"
        ),
        pytest.param(
            _answer("HTTP/1.1 200 OK", *USUAL[0].fields, ("Content-Length", "2"), body=b"ab"),
            False,
            id="a length",
        ),
        pytest.param([*_answer("HTTP/1.1 100 Continue"), *USUAL], False, id="one answer too many"),
    ],
)
def test_a_difference_is_seen(other: list[Message], is_same: bool) -> None:
    """The comparison itself: what it passes over, and that it passes over nothing else."""
    case = Case("any", "GET", "/")
    assert (differ(case, USUAL, other) == []) == is_same
