"""Upstream settings become working upstreams: each value arrives where it acts."""

import ssl
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from gateway.loader import load
from gateway.proxy.dial import Dialer
from gateway.proxy.opening import build_upstreams, open_upstreams
from gateway.proxy.resolve import Resolver
from gateway.settings import UpstreamSettings
from tests.support.authority import Authority
from tests.support.gateway import merge, settings_of
from tests.support.raw import RawUpstream

DIALER = Dialer(Resolver())
Upstreams = Mapping[str, UpstreamSettings]


def settings(folder: Path, main: Mapping[str, object]) -> Upstreams:
    """The tests' usual upstream with changes."""
    path = folder / "gateway.yaml"
    changes = {"upstreams": {"main": main}}
    path.write_text(yaml.safe_dump(merge(settings_of(9000, "http://127.0.0.1:9"), changes)))
    return load(path, {}).settings.upstreams


async def test_upstreams_arrive(tmp_path: Path) -> None:
    """Targets of each kind, times, bounds, retries, balance and whose Host is sent."""
    main = {
        "targets": ["http://127.0.0.1:1", "https://svc.internal", "unix:run/app.sock"],
        "host_header": "upstream",
        "retries": 2,
        "connections": 7,
        "timeouts": {
            "connect": "4s",
            "first_byte": "1s",
            "idle": "2s",
            "stream_idle": "3s",
            "keepalive": "5s",
        },
    }
    upstream = build_upstreams(settings(tmp_path, main), DIALER)["main"]
    assert (upstream.name, upstream.retries, upstream.sends_client_host) == ("main", 2, False)
    timeouts = upstream.timeouts
    assert (timeouts.first_byte_s, timeouts.idle_s, timeouts.stream_idle_s) == (1, 2, 3)
    first, second, third = (upstream.choose().address for _ in range(3))
    assert (first.host, first.port, first.tls, first.authority) == (
        *("127.0.0.1", 1, None),
        "127.0.0.1:1",
    )
    assert (second.host, second.port, second.authority) == ("svc.internal", 443, "svc.internal")
    assert second.tls is not None
    assert second.tls.verify_mode == ssl.CERT_REQUIRED
    assert second.tls.check_hostname
    assert third.unix_path == str(tmp_path / "run/app.sock")
    limits = upstream.pools[0].limits
    assert (limits.connections, limits.connect_s, limits.keepalive_s) == (7, 4, 5)
    upstream.close()


async def test_the_balance_arrives(tmp_path: Path) -> None:
    """A target with a request in flight is passed over by `least_requests`, not in turn."""
    one, other = RawUpstream(), RawUpstream()
    await one.start()
    await other.start()
    targets = [f"http://127.0.0.1:{each.port}" for each in (one, other)]
    for balance, is_least in (("round_robin", False), ("least_requests", True)):
        read = settings(tmp_path, {"targets": targets, "balance": balance})
        upstream = build_upstreams(read, DIALER)["main"]
        busy = upstream.choose()
        held = await busy.acquire()
        chosen = [upstream.choose() for _ in range(4)]
        assert (busy not in chosen) is is_least
        busy.release(held)
        upstream.close()
    await one.close()
    await other.close()


async def test_tls_to_a_service_arrives(tmp_path: Path) -> None:
    """Its authority instead of the system's, our certificate, the name it must carry."""
    authority = Authority(tmp_path)
    ours = authority.issue("gateway.internal")
    tls = {"ca": str(authority.ca), "cert": str(ours.cert), "key": str(ours.key)}
    main = {"targets": ["https://10.0.0.1"], "tls": {**tls, "server_name": "svc.internal"}}
    upstream = build_upstreams(settings(tmp_path, main), DIALER)["main"]
    address = upstream.choose().address
    assert address.server_name == "svc.internal"
    assert address.tls is not None
    assert len(address.tls.get_ca_certs()) == 1
    upstream.close()


def test_tls_files_that_are_none_end_the_start(tmp_path: Path) -> None:
    """Before anything listens, also when they were good while the settings were checked."""
    authority = Authority(tmp_path)
    ours = authority.issue("gateway.internal")
    tls = {"ca": str(authority.ca), "cert": str(ours.cert), "key": str(ours.key)}
    read = settings(tmp_path, {"targets": ["https://10.0.0.1"], "tls": tls})
    for path in (authority.ca, ours.key):
        path.write_text("rubbish")
        with pytest.raises(ssl.SSLError):
            build_upstreams(read, DIALER)


async def test_all_is_closed_at_the_end(tmp_path: Path) -> None:
    """Checks, connections and look-ups; the names go by the resolver that is passed in."""
    service, asked = RawUpstream(), list[str]()
    await service.start()

    async def look_up(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    check = {"path": "/up", "interval": "30s"}
    main = {"targets": [f"http://svc.internal:{service.port}"], "health_check": check}
    async with open_upstreams(settings(tmp_path, main), Resolver(look_up)) as upstreams:
        upstream = upstreams["main"]
        (pool,) = upstream.pools
        pool.release(await pool.acquire())
        assert pool.idle == 1
    assert (pool.idle, pool.open, asked) == (0, 0, ["svc.internal"])
    await service.close()
