"""Which link a URL of Redis names."""

from gateway.sessions.redis.cluster import ClusterLink
from gateway.sessions.redis.link import RedisLink
from gateway.sessions.redis.sentinel import SentinelLink
from gateway.sessions.redis.single import SingleLink
from gateway.settings.redis_url import parse_redis_url


def open_link(url: str) -> RedisLink:
    """Build the link; it connects when it is used. Raises: RefusedError, which quotes nothing."""
    address = parse_redis_url(url)
    match address.kind:
        case "single":
            return SingleLink(address)
        case "sentinel":
            return SentinelLink(address)
        case "cluster":
            return ClusterLink(address)
