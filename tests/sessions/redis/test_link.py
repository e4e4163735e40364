"""What every link promises, on one server, Sentinel and Cluster; and what its errors hold."""

from collections.abc import AsyncIterator, Iterator

import pytest
from redis.exceptions import RedisError

from gateway.sessions.redis.link import RedisLink, UnmetError
from gateway.sessions.redis.links import open_link
from tests.support.redis_cluster import Cluster, running_cluster
from tests.support.redis_sentinels import Sentinels, running_sentinels
from tests.support.redis_server import RedisServer, running_redis

NAME = "gw:{A}:name"


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One server."""
    yield from running_redis(tmp_path_factory.mktemp("single"))


@pytest.fixture(scope="module")
def sentinels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sentinels]:
    """A set with sentinels."""
    yield from running_sentinels(tmp_path_factory.mktemp("sentinels"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Cluster."""
    yield from running_cluster(tmp_path_factory.mktemp("cluster"))


@pytest.fixture(params=["single", "sentinels", "cluster"])
async def link(request: pytest.FixtureRequest) -> AsyncIterator[RedisLink]:
    """A link of each kind, in turn."""
    link = open_link(request.getfixturevalue(request.param).url)
    yield link
    await link.close()


@pytest.mark.parametrize("confirm", [False, True])
async def test_replies_come_in_order(link: RedisLink, *, confirm: bool) -> None:
    """One for each command, as RESP2 has it; what a replica says is not among them."""
    commands = (
        ("SET", NAME, b"\x00value"),
        ("GET", NAME),
        ("STRLEN", NAME),
        ("GET", f"{NAME}:none"),
        ("HGETALL", f"{NAME}:none"),
        ("DEL", NAME),
    )
    replies = await link.send(NAME, *commands, confirm=confirm)
    assert replies == [b"OK", b"\x00value", 6, None, [], 1]


async def test_an_error_reply_is_raised(link: RedisLink) -> None:
    """It is raised, whatever the others say, and the connection goes on to serve."""
    with pytest.raises(RedisError):
        await link.send(NAME, ("SET", NAME, "x"), ("LPUSH", NAME, "x"), ("GET", NAME))
    assert await link.send(NAME, ("GET", NAME), ("DEL", NAME)) == [b"x", 1]


async def test_primaries(link: RedisLink) -> None:
    """Each has an id of its own, fit for a cursor, and takes commands."""
    primaries = await link.primaries()
    ids = [one.id for one in primaries]
    assert ids == sorted(set(ids))
    assert all(one.isalnum() for one in ids)
    for one in primaries:
        (role,) = await one.send(("ROLE",))
        assert isinstance(role, list)
        assert role[0] == b"master"


async def test_it_answers_after_it_was_closed(link: RedisLink) -> None:
    """A call after the end connects anew."""
    await link.ping()
    await link.close()
    await link.ping()


def test_unmet_holds_the_replies() -> None:
    """Who asked needs them: what was written stands."""
    error = UnmetError((1, b"x"))
    assert error.replies == [1, b"x"]
    assert isinstance(error, RedisError)
