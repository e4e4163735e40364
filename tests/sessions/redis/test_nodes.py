"""The nodes of a Cluster: whom to ask, which view to believe, whom to forget."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.sessions.redis.nodes import Nodes
from gateway.sessions.redis.survey import SilentError
from gateway.settings.redis_url import parse_redis_url
from tests.support.endings import until
from tests.support.redis_cluster import Cluster, node_id, running_cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Cluster, which no test here changes for good."""
    yield from running_cluster(tmp_path_factory.mktemp("cluster"))


@pytest.fixture
async def nodes(cluster: Cluster) -> AsyncIterator[Nodes]:
    """Its nodes, of which one is known, under another name for it."""
    nodes = Nodes(parse_redis_url(f"redis+cluster://localhost:{cluster.primaries[0].port}"))
    yield nodes
    await nodes.close()


async def test_the_primaries(cluster: Cluster, nodes: Nodes) -> None:
    """They are at the addresses that the nodes announce, with the ids they have."""
    primaries = await nodes.primaries()
    assert {one.address for one in primaries} == {
        ("127.0.0.1", one.port) for one in cluster.primaries
    }
    assert [one.id for one in primaries] == sorted(node_id(one) for one in cluster.primaries)
    assert await nodes.refreshed_primaries() == primaries


async def test_every_slot_has_its_owner(cluster: Cluster, nodes: Nodes) -> None:
    """The first and the last slot of each range."""
    for number, primary in enumerate(cluster.primaries):
        first, last = number * 16384 // 3, (number + 1) * 16384 // 3 - 1
        for slot in (first, last):
            assert (await nodes.owner_of(slot)).address[1] == primary.port


async def test_one_question_for_all(nodes: Nodes) -> None:
    """Whoever asks at the same time shares the question."""
    await nodes.primaries()
    questions = [asyncio.create_task(nodes.refresh()) for _ in range(20)]
    await asyncio.sleep(0)
    await asyncio.gather(*questions)
    assert all(question.result() is None for question in questions)


async def test_sure_of_a_primary(cluster: Cluster, nodes: Nodes) -> None:
    """All hold a primary for one, and a replica for none; without most answers nothing is sure."""
    primary = (await nodes.primaries())[0]
    replica = nodes.at(("127.0.0.1", cluster.replicas[0].port))
    assert await nodes.is_sure(primary)
    assert not await nodes.is_sure(replica)
    for one in cluster.all[2:]:
        one.freeze()
    assert not await nodes.is_sure(primary)
    for one in cluster.all[2:]:
        one.thaw()
    await until(
        lambda: all("cluster_state:ok" in one.ask("CLUSTER", "INFO") for one in cluster.all), 20
    )


async def test_a_stranger_is_forgotten(cluster: Cluster, nodes: Nodes) -> None:
    """Connections to nodes that are no members are given up at the next view."""
    stranger = nodes.at(("127.0.0.1", 1))
    await nodes.refresh()
    assert nodes.at(("127.0.0.1", 1)) is not stranger


async def test_nobody_answers() -> None:
    """Then nothing is known."""
    nodes = Nodes(parse_redis_url("redis+cluster://127.0.0.1:1"))
    with pytest.raises(SilentError):
        await nodes.owner_of(0)
    await nodes.close()
