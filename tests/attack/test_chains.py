"""Proxies in front of the gateway and servers behind it: some of what `tests.attack.chains` plays.

And that its judge would tell.
"""

import hashlib
from collections.abc import Iterator

import pytest

from tests.attack.answers import Answer
from tests.attack.chains import Chain, Tally, all_cases, alone, chains, own_faults, run
from tests.attack.chains_framing import BUILT
from tests.attack.chains_judge import Came, amiss_of
from tests.attack.cutting import Seen
from tests.attack.fronts.proxies import FRONTS
from tests.attack.judge import Variant
from tests.attack.lenient import read_leniently
from tests.attack.model import Case, refused
from tests.attack.play import Observation
from tests.attack.sent import Sent, is_answered_wrongly, normal, read_sent
from tests.attack.services.programs import FRAMING

BEHIND = [f"ours → {each.name}" for each in FRAMING]
BEFORE = [
    f"{front.name} → {ours} → recorder" for ours in ("ours", "ours, trusting") for front in FRONTS
]
BOTH = [f"{front.name} → ours → {each.name}" for front in FRONTS for each in FRAMING]
NEEDED = {each.name: each for each in (*FRONTS, *FRAMING)}
EVERY = all_cases()
BUILT_CASES = [each for each in EVERY if each.case.row == BUILT]
ROWS = [each for each in EVERY if each.case.row != BUILT]
SOME = [*BUILT_CASES[::5], *ROWS[::17]]
FEW = [*BUILT_CASES[1::15], *ROWS[1::51]]


@pytest.fixture(scope="module")
def ways() -> Iterator[dict[str, list[Chain]]]:
    """Everything that is installed, running; by the names of the chains."""
    with chains(wait_s=0.3) as found:
        names = {each.name: [way for way in found if way.name == each.name] for each in found}
        yield names


@pytest.mark.parametrize("name", [*BEFORE, *BEHIND, *BOTH])
def test_chain(name: str, ways: dict[str, list[Chain]]) -> None:
    """Nothing arrives that was not sent, no answer goes astray, bodies are what was sent."""
    missing = [each for each in name.split(" → ") if each in NEEDED and not NEEDED[each].is_here]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    (way,) = ways[name]
    tally = run(way, FEW if name in BOTH else SOME)
    assert tally.arrived > 0
    assert own_faults(tally, _by_itself(way, tally)) == []


def _by_itself(way: Chain, tally: Tally) -> list[Tally]:
    """What the front makes of the same bytes without us, where there is something to excuse."""
    if not tally.faults or not way.front:
        return []
    suspected = [each for each in EVERY if each.name in tally.faults]
    with alone(NEEDED[way.front], way.stage, wait_s=0.3) as found:
        return [run(each, suspected) for each in found]


# -- would it tell? -------------------------------------------------------------------------------

SMUGGLED = b"GET /public/y HTTP/1.1\r\nHost: gw.test\r\n\r\n"
ONE = b"POST /public/x HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 3\r\n\r\nabc"


def sent(data: bytes) -> Sent:
    """Read bytes as those of a case on the open route."""
    case = Case(row=BUILT, title="one", send=data, expect=refused(400))
    return read_sent(Variant(case, "public", "none"), lambda each: each)


def came(method: bytes, target: bytes, body: bytes = b"", *names: bytes) -> Came:
    """A request as a service wrote it down."""
    identity = frozenset((name, b"o-1") for name in names)
    digest = hashlib.sha256(body).digest()
    return Came(method, target, identity, lambda each: hashlib.sha256(each).digest() == digest)


@pytest.mark.parametrize(
    ("arrived", "amiss"),
    [
        ([came(b"POST", b"/public/x", b"abc")], []),
        ([], []),
        ([came(b"POST", b"/public/x", b"ab")], ["a body other than what was sent"]),
        (
            [came(b"POST", b"/public/x", b"abc"), came(b"GET", b"/public/y")],
            [
                "a request that was not sent: b'GET' b'/public/y'",
                "more requests than were sent: 2, and 1 were sent",
            ],
        ),
        (
            [came(b"POST", b"/public/x", b"abc"), came(b"POST", b"/public/x", b"abc")],
            ["more requests than were sent: 2, and 1 were sent"],
        ),
        (
            [came(b"POST", b"/public/x", b"abc", b"x-openid")],
            ["an identity that is nobody's"],
        ),
    ],
)
def test_planted_faults_are_told(arrived: list[Came], amiss: list[str]) -> None:
    """Another body, another request, one too many, and an identity of nobody."""
    assert [*amiss_of(arrived, sent(ONE), {frozenset()})] == amiss


@pytest.mark.parametrize(
    ("body", "is_wrong"),
    [
        (b"GET /public/canary/1 HTTP/1.1", False),
        (b"POST /public/x HTTP/1.1", False),
        (b"GET /public/y HTTP/1.1", True),
        (b"anything else", True),
    ],
)
def test_an_answer_to_the_wrong_request_is_told(body: bytes, is_wrong: bool) -> None:
    """Services answer with the request line: one that was not sent is another's."""
    after = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    first = Answer(200, (), b"", is_whole=True)
    found = Observation(b"", (first,), "open", canary=False, arrived={}, after=after)
    assert is_answered_wrongly(found, sent(ONE)) is is_wrong


@pytest.mark.parametrize(
    ("framing", "lines"),
    [
        (b"Content-Length: %d\r\n\r\n" % len(SMUGGLED), [b"POST /public/x HTTP/1.1"]),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", None),
        (b"Transfer-Encoding: , Chunked\r\nContent-Length: 9\r\n\r\n0;a=b\r\nA: b\r\n\r\n", None),
        (b"Content-Length: 0, 0\r\n\r\n", None),
        (b"Foo: bar\n\n", None),
        (b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", []),
        (b"Transfer-Encoding: chunked\r\n\r\n0\n\n", []),
        (b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", []),
        (b"Content-Length: +5\r\n\r\n", []),
        (b"Content-Length: 1, 2\r\n\r\n", []),
        (b"Content-Length : 5\r\n\r\n", []),
        (b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n", []),
    ],
)
def test_what_the_standard_lets_be_found(framing: bytes, lines: list[bytes] | None) -> None:
    """A second request is one only where a recipient may go on to it; None: both are found."""
    head = b"POST /public/x HTTP/1.1\r\nHost: gw.test\r\n"
    both = [b"POST /public/x HTTP/1.1", b"GET /public/y HTTP/1.1"]
    found = [each.line for each in read_leniently(head + framing + SMUGGLED)]
    assert found == (both if lines is None else lines)


def test_http_1_0_has_no_chunks() -> None:
    """RFC 9112 6.1: its framing is faulty then."""
    head = b"POST /public/x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert read_leniently(head + SMUGGLED) == ()


@pytest.mark.parametrize(
    ("target", "same"),
    [
        (b"http://gw.test/public/x?a=b", b"/public/x?a=b"),
        (b"/public/%78", b"/public/x"),
        (b"/public/./y/../x", b"/public/x"),
        (b"//public\\x", b"/public/x"),
        (b"/public/x/", b"/public/x/"),
        (b"/", b"/"),
    ],
)
def test_spellings_of_one_target(target: bytes, same: bytes) -> None:
    """Proxies may write it so."""
    assert normal(target) == same


def test_strictly_read() -> None:
    """What is right is read whole, to its end."""
    found = sent(ONE + SMUGGLED)
    assert found.is_all
    assert [each.body for each in found.strict] == [b"abc", b""]
    assert isinstance(found.strict[0], Seen)
