"""Looking through Redis: in steps, over several primaries, and where a listing may go on from."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from gateway.errors import GatewayError
from gateway.sessions.model import Session
from gateway.sessions.redis.connection import connector_of
from gateway.sessions.redis.link import Primary
from gateway.sessions.redis.links import open_link
from gateway.sessions.redis.node import Node
from gateway.sessions.redis.search import RedisSearch
from gateway.sessions.redis.single import SingleLink
from gateway.sessions.redis.store import RedisStore
from gateway.sessions.store import Wanted
from gateway.settings.redis_url import parse_redis_url
from tests.support.redis_server import RedisServer
from tests.support.sessions import HandClock, make_session, make_subject

MANY = 100
PAGES = 1000


class TwoPrimaries(SingleLink):
    """A link to one server that names another one beside it."""

    def __init__(self, *urls: str) -> None:
        super().__init__(parse_redis_url(urls[0]))
        self.nodes = [_node(url, f"node{number}") for number, url in enumerate(urls)]

    async def primaries(self) -> Sequence[Primary]:
        return self.nodes

    async def close(self) -> None:
        await super().close()
        for node in self.nodes:
            await node.close()


def _node(url: str, name: str) -> Node:
    address = parse_redis_url(url)
    node = Node(connector_of(address), *address.hosts[0])
    node.id = name
    return node


@pytest.fixture
async def two(redis_server: RedisServer, own_redis: RedisServer) -> AsyncIterator[TwoPrimaries]:
    """A link to two servers."""
    link = TwoPrimaries(redis_server.url, own_redis.url)
    yield link
    await link.close()


async def filled(url: str, clock: HandClock, numbers: range) -> set[Session]:
    """Put sessions into a server."""
    store = RedisStore(open_link(url), clock)
    sessions = {make_session(number, make_subject(f"o-{number}")) for number in numbers}
    for session in sessions:  # one by one: a hundred dials at once take long on a busy machine
        await store.create(session, None, MANY)
    await store.close()
    return sessions


async def pages(search: RedisSearch, limit: int) -> list[tuple[Session, ...]]:
    """Every page there is."""
    page = await search.find(Wanted(), limit, None)
    found = [page.sessions]
    for _ in range(PAGES):
        if page.after is None:
            return found
        page = await search.find(Wanted(), limit, page.after)
        found.append(page.sessions)
    raise AssertionError("the pages do not end")


async def test_in_steps(redis_server: RedisServer, clock: HandClock) -> None:
    """A page that used up its steps is short, and names where to go on."""
    sessions = await filled(redis_server.url, clock, range(50))
    link = open_link(redis_server.url)
    found = await pages(RedisSearch(link, clock, scan_keys=10, scan_steps=1), 1000)
    assert 0 < len(found[0]) < 50
    assert {session for page in found for session in page} == sessions
    await link.close()


@pytest.mark.parametrize("limit", [1, 7, 1000])
async def test_over_primaries(
    two: TwoPrimaries,
    redis_server: RedisServer,
    own_redis: RedisServer,
    clock: HandClock,
    limit: int,
) -> None:
    """Each primary is looked through, whatever the size of a page, and no session comes twice."""
    sessions = await filled(redis_server.url, clock, range(12))
    sessions |= await filled(own_redis.url, clock, range(12, 24))
    found = await pages(RedisSearch(two, clock), limit)
    assert all(len(page) <= limit for page in found)
    listed = [session for page in found for session in page]
    assert len(listed) == 24
    assert set(listed) == sessions


async def test_a_primary_that_has_gone(
    two: TwoPrimaries, redis_server: RedisServer, clock: HandClock
) -> None:
    """A listing does not go on from a primary that is none any more: it would leave some out."""
    await filled(redis_server.url, clock, range(5))
    search = RedisSearch(two, clock)
    page = await search.find(Wanted(), 1, None)
    await two.nodes.pop(0).close()
    with pytest.raises(GatewayError) as caught:
        await search.find(Wanted(), 1, page.after)
    assert caught.value.code == "bad_request"


@pytest.mark.parametrize(
    "after",
    [
        "",
        "x",
        "1",
        "-",
        "--",
        "0-0",
        "0--0",
        "0-0-",
        "0-0-x",
        "0-1_0-0",
        "0-０-0",
        "0-0-0-0",
        "1-0-0",
        "0-" + "9" * 21 + "-0",
        "0-" + "9" * 20 + "-0",
    ],
)
async def test_after_is_checked(redis_store: RedisStore, after: str) -> None:
    """Where to go on is checked before it is sent anywhere."""
    with pytest.raises(GatewayError) as caught:
        await redis_store.find(Wanted(), 10, after)
    assert caught.value.code == "bad_request"


async def test_an_openid_in_many_apps(redis_store: RedisStore) -> None:
    """An openid is found in each app, on whatever slot its subject is, and goes on by its key."""
    subjects = [make_subject("o-same", app_id=f"wx{number}") for number in range(100)]
    sessions = {make_session(number, subject) for number, subject in enumerate(subjects)}
    await asyncio.gather(*(redis_store.create(session, None, MANY) for session in sessions))
    found: list[Session] = []
    page = await redis_store.find(Wanted(openid="o-same"), 30, None)
    found += page.sessions
    while page.after is not None:
        page = await redis_store.find(Wanted(openid="o-same"), 30, page.after)
        found += page.sessions
    assert len(found) == 100
    assert set(found) == sessions
