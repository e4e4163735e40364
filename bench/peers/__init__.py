"""The proxies that are compared, in the order of the report."""

from bench.peers.base import Peer
from bench.peers.golang import CADDY, GOAUTH, OAUTH2
from bench.peers.haproxy import HAPROXY
from bench.peers.nginx import AUTH_REQUEST, LOGGED, PLAIN
from bench.peers.python import NAIVE, OURS

PEERS: tuple[Peer, ...] = (
    OURS,
    PLAIN,
    LOGGED,
    HAPROXY,
    CADDY,
    AUTH_REQUEST,
    GOAUTH,
    OAUTH2,
    NAIVE,
)
