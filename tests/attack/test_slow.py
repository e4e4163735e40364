"""Slow clients, scaled down: a visitor from another address is always served.

`tests.attack.slow` does the same with thousands of connections and slowhttptest.
"""

from collections.abc import Iterator

import pytest

from tests.attack.asking import until
from tests.attack.crowd import crowd, visiting
from tests.attack.slow import ATTACKER, HOST, VISITED, held_connections, settings
from tests.attack.slow_service import serving
from tests.attack.stage import Stage, on_stage

PLACES = 8
HEADERS_S = 1.0
FEW = 3
CROWD = 200
LINE = b"GET /slow/x HTTP/1.1\r\nHost: gw.test\r\n"
ANSWERED = LINE + b"\r\n"
POST = b"POST /slow/x HTTP/1.1\r\nHost: gw.test\r\n"
LARGE = b"GET /slow/big HTTP/1.1\r\nHost: gw.test\r\n\r\n"
RANGES = b"Range: bytes=0-," + b",".join(b"5-%d" % number for number in range(1300)) + b"\r\n"


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A gateway with short deadlines for heads, and few connections to a service."""
    with serving() as port:
        changes = settings(port)
        upstreams = changes["upstreams"]
        assert isinstance(upstreams, dict)
        upstreams["slow"]["connections"] = PLACES
        server = {"timeouts": {"headers": f"{HEADERS_S:g}s", "body_idle": "30s"}}
        with on_stage("slow", {**changes, "server": server}, HOST) as made:
            yield made


def assert_gone(stage: Stage) -> None:
    """The gateway holds none of a crowd's connections any more."""
    assert until(lambda: held_connections(stage) <= FEW, within_s=10)


@pytest.mark.parametrize(
    ("first", "more"),
    [
        (b"", b""),
        (b"GET /sl", b""),
        (LINE + b"X-A: a", b""),
        (LINE + b"X-A: a", b"a"),
        (LINE + b"X-A: a", b"\r\nX-B: b"),
        (ANSWERED + b"GET /sl", b""),
        (ANSWERED + LINE, b"a"),
        (POST + b"Content-Length: 2\r\n\r\nok" + LINE, b""),
    ],
    ids=["nothing", "a line", "a head", "dribbled", "lines", "second", "second dribbled", "third"],
)
def test_heads_that_do_not_come(stage: Stage, first: bytes, more: bytes) -> None:
    """All are closed at the header deadline, also those that dribble."""
    with crowd(stage.port) as many, visiting(stage.port, HOST, VISITED) as visits:
        many.join(CROWD, ATTACKER, first)

        def is_gone() -> bool:
            many.send(more)
            return many.count() == 0

        assert until(is_gone, within_s=HEADERS_S + 5)
    assert visits.failures == []
    assert visits.latencies_s
    assert_gone(stage)


def test_many_addresses(stage: Stage) -> None:
    """Where each address has but a few, the deadline does it."""
    sources = [f"127.0.1.{number}" for number in range(1, 51)]
    with crowd(stage.port) as many, visiting(stage.port, HOST, VISITED) as visits:
        many.join(CROWD, sources, LINE)
        assert until(lambda: many.count() == 0, within_s=HEADERS_S + 5)
    assert visits.failures == []
    assert visits.latencies_s
    assert_gone(stage)


@pytest.mark.parametrize(
    "framing",
    [b"Content-Length: 1000\r\n\r\nb", b"Transfer-Encoding: chunked\r\n\r\n5\r\nb"],
    ids=["length", "chunks"],
)
@pytest.mark.parametrize("sources", [ATTACKER, ("127.0.1.1", "127.0.1.2")], ids=["one", "two"])
def test_bodies_that_do_not_come(stage: Stage, framing: bytes, sources: tuple[str, ...]) -> None:
    """They are more than the service has places; the visitor gets one all the same."""
    with crowd(stage.port) as many, visiting(stage.port, HOST, VISITED) as visits:
        many.join(5 * PLACES, sources, POST + framing)
        assert until(lambda: len(visits.latencies_s) >= 20, within_s=10)
    assert visits.failures == []
    assert_gone(stage)


@pytest.mark.parametrize("sources", [ATTACKER, ("127.0.1.1", "127.0.1.2")], ids=["one", "two"])
def test_answers_that_are_not_read(stage: Stage, sources: tuple[str, ...]) -> None:
    """The same for who asks for much and takes nothing."""
    with crowd(stage.port) as many, visiting(stage.port, HOST, VISITED) as visits:
        many.join(5 * PLACES, sources, LARGE * 20)
        assert until(lambda: len(visits.latencies_s) >= 20, within_s=10)
    assert visits.failures == []
    assert_gone(stage)


def test_ranges_are_the_services_affair(stage: Stage) -> None:
    """Many ranges are one header line here."""
    with crowd(stage.port) as many, visiting(stage.port, HOST, VISITED) as visits:
        many.join(CROWD, ATTACKER, b"HEAD" + LINE.removeprefix(b"GET") + RANGES + b"\r\n")
        assert until(lambda: len(visits.latencies_s) >= 20, within_s=10)
    assert visits.failures == []
    assert_gone(stage)
