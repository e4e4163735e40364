"""haproxy as a plain proxy, on one thread."""

from bench.machine import find_program
from bench.peers.base import Peer, Place, SkippedError
from bench.process import Program

_CONFIG = """
global
    nbthread 1
    maxconn 8000
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend front
    bind 127.0.0.1:{port}
    default_backend back
backend back
    http-reuse always
    server origin 127.0.0.1:{origin} pool-max-conn 1024
"""


def _haproxy(place: Place) -> list[Program]:
    path = find_program("haproxy")
    if path is None:
        raise SkippedError("haproxy is not installed")
    text = _CONFIG.format(port=place.port, origin=place.origin_port)
    return [place.on_proxy_core(path, "-db", "-f", place.write("haproxy.cfg", text))]


HAPROXY = Peer("haproxy", "haproxy, plain proxy", "no check, no log", _haproxy)
