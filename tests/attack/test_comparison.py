"""The same data at other proxies: what is said of them, and that the data can be pointed at one."""

from dataclasses import replace

import pytest

from tests.attack.answers import cut_answers
from tests.attack.comparison import OURS, written
from tests.attack.cutting import Seen
from tests.attack.fronts.proxies import FRONTS
from tests.attack.judge import Variant
from tests.attack.model import Case, refused
from tests.attack.outcomes import NOBODY, Outcome, classify
from tests.attack.play import Observation
from tests.attack.recorder import Arrived
from tests.attack.services.running import Program, running
from tests.attack.target import run_against
from tests.support.commands import free_ports

SENT = b"POST /public/x HTTP/1.1\r\nHost: gw.test\r\nX-OpenId: evil\r\nContent-Length: 3\r\n\r\nabc"
CASE = Case(row="H1", title="one", send=SENT, expect=refused(400))
EVIL = ((b"Host", b"gw.test"), (b"X-OpenId", b"evil"), (b"Content-Length", b"3"))
PLAIN = (EVIL[0], EVIL[2])
ANSWER = b"HTTP/1.1 %d \r\nContent-Length: 0\r\n\r\n"


def observed(*seen: Seen, status: int | None = 200, ended: str = "open") -> Observation:
    """What came of it: these requests arrived, this was answered."""
    raw = ANSWER % status if status is not None else b""
    answers = tuple(cut_answers(raw, (b"POST",)))
    arrived = [Arrived(requests=[*seen])] if seen else []
    return Observation(raw, answers, ended, canary=True, arrived={"main": arrived})


def post(target: bytes, fields: tuple[tuple[bytes, bytes], ...], body: bytes = b"abc") -> Seen:
    """A request as it arrived."""
    return Seen(b"POST", target, fields, body)


@pytest.mark.parametrize(
    ("found", "short"),
    [
        (observed(status=400), "400"),
        (observed(status=204), "itself 204"),
        (observed(status=None), "waits"),
        (observed(status=None, ended="closed"), "closes"),
        (observed(post(b"/public/x", EVIL)), "passes; **identity**"),
        (observed(post(b"/public/x", PLAIN)), "passes, other fields"),
        (observed(post(b"/public/x", PLAIN, b"ab")), "passes, other body, fields"),
        (observed(post(b"/public/%78", EVIL)), "passes, other spelling; **identity**"),
        (
            observed(post(b"/public/x", EVIL), post(b"/y", PLAIN, b"")),
            "passes; **identity**; **not sent**",
        ),
    ],
)
def test_what_is_said_of_a_case(found: Observation, short: str) -> None:
    """Each outcome has its words."""
    variant = Variant(CASE, "public", "none")
    assert classify(found, variant, lambda data: data, NOBODY).short == short


def test_only_cases_over_which_others_differ_are_listed() -> None:
    """Where all others agree, the counts say enough."""
    same = Variant(CASE, "public", "none")
    other = Variant(replace(CASE, title="other"), "public", "none")
    passes, refuses = Outcome("unchanged", 200), Outcome("refused", 400)
    page = written(
        {
            OURS: {"T": [(same, refuses), (other, refuses)]},
            "a": {"T": [(same, passes), (other, passes)]},
            "b": {"T": [(same, passes), (other, refuses)]},
        }
    )
    assert "| ours | 2 | 0 |" in page
    assert "H1 one" not in page
    assert "| H1 other | 400 | passes | 400 |" in page


@pytest.mark.parametrize("front", FRONTS, ids=lambda each: each.name)
def test_the_data_can_be_pointed_at_another_gateway(
    front: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--target`: each case is played there, and a table printed."""
    if not front.is_here:
        pytest.skip(f"{front.needs} is not installed")
    (upstream_port,) = free_ports(1)
    with running(front, upstream_port) as proxy:
        assert run_against(f"127.0.0.1:{proxy.port}", upstream_port, ["R"]) == 0
    printed = capsys.readouterr().out
    assert "### R: prefix strip" in printed
    assert "passes" in printed


def test_a_target_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    """It says so."""
    closed, upstream_port = free_ports(2)
    assert run_against(f"127.0.0.1:{closed}", upstream_port) == 1
    assert "cannot be reached" in capsys.readouterr().err
