"""Which link a URL names."""

import pytest

from gateway.sessions.redis.cluster import ClusterLink
from gateway.sessions.redis.link import RedisLink
from gateway.sessions.redis.links import open_link
from gateway.sessions.redis.sentinel import SentinelLink
from gateway.sessions.redis.single import SingleLink
from gateway.settings.findings import RefusedError


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("redis://r", SingleLink),
        ("rediss://r", SingleLink),
        ("redis+sentinel://r/m", SentinelLink),
        ("rediss+cluster://r", ClusterLink),
    ],
)
async def test_each_kind(url: str, kind: type[RedisLink]) -> None:
    """The scheme says it; nothing is connected yet."""
    link = open_link(url)
    assert isinstance(link, kind)
    await link.close()


def test_anything_else_is_refused() -> None:
    """As the settings refuse it."""
    with pytest.raises(RefusedError):
        open_link("sqlite:a.db")
