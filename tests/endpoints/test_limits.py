"""How many logins are taken, against what each counts, and when to come again."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.endpoints.limits import LoginLimits, LoginRates
from gateway.endpoints.memory_counters import MemoryCounters
from gateway.errors import GatewayError
from gateway.settings.units import Rate
from tests.support.gateway import problem, run_gateway
from tests.support.own import exchanges, send
from tests.support.sessions import HandClock

MINUTE = 60.0


@pytest.fixture
def clock() -> HandClock:
    """A clock that moves only by hand."""
    return HandClock()


def limits_of(
    clock: HandClock,
    per_ip: Rate | None = None,
    per_app: Rate | None = None,
    total: Rate | None = None,
) -> LoginLimits:
    return LoginLimits(MemoryCounters(clock), clock, LoginRates(per_ip, per_app, total))


async def refused_for(limits: LoginLimits, *, address: str = "", app: str = "") -> int | None:
    """Seconds to wait, or None where the login was taken."""
    try:
        if address:
            await limits.count_address(address)
        if app:
            await limits.count_app(app)
    except GatewayError as error:
        return error.retry_after_s if error.code == "rate_limited" else -1
    return None


async def test_a_window_begins_with_its_first_login(clock: HandClock) -> None:
    """What is told to wait is what is left of it, and enough."""
    limits = limits_of(clock, per_ip=Rate(2, MINUTE))
    assert await refused_for(limits, address="192.0.2.1") is None
    clock.forward(20.5)
    assert await refused_for(limits, address="192.0.2.1") is None
    assert await refused_for(limits, address="192.0.2.1") == 40
    clock.forward(39.25)
    assert await refused_for(limits, address="192.0.2.1") == 1
    clock.forward(1)
    assert await refused_for(limits, address="192.0.2.1") is None


@pytest.mark.parametrize(
    ("one", "other", "are_one", "why"),
    [
        ("192.0.2.1", "192.0.2.1", True, "the same"),
        ("192.0.2.1", "192.0.2.2", False, "neighbours"),
        ("2001:db8::1", "2001:db8::ffff:2", True, "one customer's /64"),
        ("2001:db8::1", "2001:db8:0:1::1", False, "the next /64"),
        ("::ffff:192.0.2.1", "192.0.2.1", True, "IPv4 through a socket for both"),
        ("fe80::1%eth0", "fe80::2", True, "an interface is no customer"),
        ("no address", "nor this", True, "whatever is no address counts together"),
    ],
)
async def test_whose_an_address_is(
    clock: HandClock, one: str, other: str, are_one: bool, why: str
) -> None:
    """IPv6 by /64."""
    limits = limits_of(clock, per_ip=Rate(1, MINUTE))
    assert await refused_for(limits, address=one) is None
    assert (await refused_for(limits, address=other) is not None) is are_one, why


async def test_a_unix_socket_has_no_addresses(clock: HandClock) -> None:
    """All clients would share one; app and total still count."""
    limits = limits_of(clock, per_ip=Rate(1, MINUTE), per_app=Rate(3, MINUTE))
    for _ in range(3):
        await limits.count_address("")
        await limits.count_app("shop")
    assert await refused_for(limits, app="shop") == 60


async def test_apps_count_apart_and_together(clock: HandClock) -> None:
    """A login that is refused for its app leaves room for others."""
    limits = limits_of(clock, per_app=Rate(2, MINUTE), total=Rate(3, MINUTE))
    for _ in range(2):
        assert await refused_for(limits, app="shop") is None
    for _ in range(5):
        assert await refused_for(limits, app="shop") == 60
    assert await refused_for(limits, app="game") is None
    assert await refused_for(limits, app="game") == 60


async def test_null_limits_nothing(clock: HandClock) -> None:
    """Each is switched off by itself."""
    limits = limits_of(clock)
    for _ in range(100):
        assert await refused_for(limits, address="192.0.2.1", app="shop") is None


@pytest.mark.parametrize(
    ("rate", "taken", "window_s", "why"),
    [
        (Rate(5, 0.5), 10, 1, "twice as many in twice the time"),
        (Rate(3, 1.5), 4, 2, "the same, rounded down"),
        (Rate(1, 0.9), 1, 1, "never nothing"),
        (Rate(2, 86400.0), 2, 86400, "a day"),
    ],
)
async def test_windows_are_whole_seconds(
    clock: HandClock, rate: Rate, taken: int, window_s: int, why: str
) -> None:
    """As the library counts."""
    limits = limits_of(clock, per_app=rate)
    for _ in range(taken):
        assert await refused_for(limits, app="shop") is None, why
    assert await refused_for(limits, app="shop") == window_s, why


async def test_what_is_not_closed_needs_no_closing(clock: HandClock) -> None:
    """Memory holds nothing open."""
    await limits_of(clock).close()


# -- through a gateway ----------------------------------------------------------------------------


def limited(**rates: str | None) -> Mapping[str, object]:
    return {"login": {"limits": rates}}


async def test_too_many_logins_cause_no_call(tmp_path: Path) -> None:
    """429 with Retry-After, before anything goes out; a window later they are taken (S11)."""
    clock = HandClock()
    async with run_gateway(tmp_path, limited(per_ip="2/1m"), clock) as running:
        for _ in range(2):
            await running.login()
        answer = await running.post("/login", {"app": "shop-wechat", "code": await running.code()})
        assert (answer.status, problem(answer)["code"]) == (429, "rate_limited")
        assert answer.value("Retry-After") == "60"
        assert await exchanges(running, "wechat") == 2
        clock.forward(60)
        await running.login()


async def test_what_names_no_app_counts_for_its_address_only(tmp_path: Path) -> None:
    """An unknown app, or no code: neither goes out, nor takes an app's room."""
    rates = limited(per_ip="5/1m", per_app="1/1m", total="1/1m")
    async with run_gateway(tmp_path, rates) as running:
        for fields in ({"app": "nobody", "code": "c"}, {"app": "shop-wechat"}, {"code": 7}, {}):
            assert problem(await running.post("/login", fields))["status"] == 400
        await running.login()
        assert problem(await running.post("/login", {"app": "nobody"}))["code"] == "rate_limited"
        assert await exchanges(running, "wechat") == 1


async def test_a_trusted_proxys_word_tells_addresses_apart(tmp_path: Path) -> None:
    """Nobody else's does (attacks.md F1)."""
    for trusted, status in ((["127.0.0.1"], 400), ([], 429)):
        changes = {**limited(per_ip="1/1m"), "server": {"trusted_proxies": trusted}}
        async with run_gateway(tmp_path, changes) as running:
            for last in range(3):
                answer = await send(running, "POST /login", b"", f"X-Forwarded-For: 192.0.2.{last}")
            assert answer.status == status
