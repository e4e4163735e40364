"""How connections are made: TLS and users on real servers, and what operators are told."""

import asyncio
import gc
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import uvloop

from gateway.errors import GatewayError
from gateway.sessions.faults import tell
from gateway.sessions.redis.connection import connect, connector_of
from gateway.sessions.redis.links import open_link
from gateway.sessions.redis.store import RedisStore
from gateway.sessions.store import Block
from gateway.settings.redis_url import parse_redis_url
from tests.support.endings import Told, until
from tests.support.redis_load import following
from tests.support.redis_server import RedisServer
from tests.support.redis_tls import TlsServer, running_tls
from tests.support.sessions import HandClock, make_session, make_successor

DOCS = Path(__file__).parents[3] / "docs" / "redis.md"
SESSION = make_session(1)


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[TlsServer]:
    """A server that speaks TLS."""
    yield from running_tls(tmp_path)


async def cause_of(url: str, clock: HandClock) -> str:
    """Ping, and return what is told of its failure."""
    store = RedisStore(open_link(url), clock)
    with pytest.raises(GatewayError) as caught:
        await store.ping()
    await store.close()
    assert caught.value.code == "store_unavailable"
    assert "(" not in caught.value.detail, "clients are not told"
    return tell(caught.value)


async def use_all(store: RedisStore) -> None:
    """Do whatever a gateway does, and be told of it."""
    told, second = Told(), make_session(2)
    async with following(store, told):
        await until(lambda: told.ages_s)
        await store.ping()
        await store.create(SESSION, b"sealed", 10)
        await store.create(second, b"sealed", 10)
        successor = make_successor(second, 3)
        await store.renew(second.key, successor, b"sealed id", SESSION.expires_at)
        assert await store.get(SESSION.key) == SESSION
        await store.touch({SESSION.key: SESSION.last_used_at + 1})
        assert len(await store.session_keys(SESSION.subject)) == 2
        await store.keep_note(SESSION.key, b"note", SESSION.expires_at)
        await store.replace_note(SESSION.key, b"note", b"other", SESSION.expires_at)
        assert await store.read_note(SESSION.key) == b"other"
        assert await store.take_note(SESSION.key) == b"other"
        await store.note_sealing_key("key", SESSION.expires_at)
        assert "key" in await store.sealing_keys()
        await store.forget_sealing_key("key")
        await store.end(SESSION.key, "logout")
        await store.block(SESSION.subject, Block("spam", None))
        assert await store.block_of(SESSION.subject) == Block("spam", None)
        await store.unblock(SESSION.subject)
        await store.end_subject(SESSION.subject, "revoked")
        await until(lambda: {SESSION.key, second.key, successor.key} <= set(told.keys))
        assert (second.key, successor.key) in told.renewals


# TLS


async def test_tls(tls: TlsServer, clock: HandClock) -> None:
    """With our authority, a client certificate and the server's name everything works."""
    store = RedisStore(open_link(tls.url()), clock)
    await use_all(store)
    await store.close()


async def test_whom_we_do_not_believe(tls: TlsServer, clock: HandClock) -> None:
    """Another authority, another name, or no file at all: refused, and told as what it is."""
    unbelieved = "the certificate of Redis is not to be believed"
    for options in ({"ssl_ca_certs": tls.stranger.ca}, {"ssl_server_name": ""}):
        assert unbelieved in await cause_of(tls.url(**options), clock)
    told = await cause_of(tls.url(ssl_ca_certs="/nowhere/ca.pem"), clock)
    assert "a file for TLS with Redis cannot be read" in told
    assert "nowhere" not in told


async def test_who_is_not_believed(tls: TlsServer, clock: HandClock) -> None:
    """A server that gets no client certificate hangs up; one without TLS does not answer."""
    await cause_of(tls.url(ssl_certfile="", ssl_keyfile=""), clock)
    await cause_of(f"rediss://127.0.0.1:{tls.plain.port}", clock)


# Users


def documented_rights() -> list[str]:
    """The words of `ACL SETUSER` that the documents name."""
    found = re.search(r"ACL SETUSER gateway on >password (.+)", DOCS.read_text())
    assert found is not None
    return found[1].split()


async def test_the_documented_rights_are_enough(own_redis: RedisServer, clock: HandClock) -> None:
    """A user with exactly the rights that the documents name can do everything."""
    rights = documented_rights()
    own_redis.command("ACL", "SETUSER", "gateway", "on", ">p@ss/word", *rights)
    own_redis.command("ACL", "LOG", "RESET")
    url = own_redis.url.replace("redis://", "redis://gateway:p%40ss%2Fword@")
    store = RedisStore(open_link(url), clock)
    await use_all(store)
    await store.close()
    log = own_redis.command("ACL", "LOG")
    assert b"gw:" not in log, "nothing was refused, but perhaps the library's own greeting"


@pytest.mark.parametrize(
    ("right", "call", "told"),
    [
        ("-ping", "ping", "Redis' user lacks a right: ping"),
        ("-role", "create", "Redis' user lacks a right: role"),
        ("-subscribe", "follow", "Redis' user lacks a right: subscribe"),
        ("resetchannels", "follow", "Redis' user lacks a right: a key or channel"),
        ("resetkeys", "get", "Redis' user lacks a right: a key or channel"),
    ],
)
async def test_a_missing_right_is_told(
    own_redis: RedisServer, clock: HandClock, right: str, call: str, told: str
) -> None:
    """Operators learn which right is missing; clients do not."""
    own_redis.command("ACL", "SETUSER", "gateway", "on", ">pw", *documented_rights())
    own_redis.command("ACL", "SETUSER", "gateway", right)
    url = own_redis.url.replace("redis://", "redis://gateway:pw@")
    store = RedisStore(open_link(url), clock)
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "ping": store.ping,
        "create": lambda: store.create(SESSION, None, 10),
        "follow": lambda: store.follow(Told()),
        "get": lambda: store.get(SESSION.key),
    }
    with pytest.raises(GatewayError) as caught:
        await calls[call]()
    assert told in tell(caught.value)
    assert "gateway" not in caught.value.detail
    await store.close()


async def test_a_wrong_password_is_told(own_redis: RedisServer, clock: HandClock) -> None:
    """With its cause, without the password, and again while the server counts as away."""
    own_redis.command("CONFIG", "SET", "requirepass", "right-password")
    for user in ("", ":hunter2@", "me:hunter2@"):
        told = await cause_of(own_redis.url.replace("redis://", f"redis://{user}"), clock)
        assert "Redis refuses the user or password" in told
        assert "hunter2" not in told
    store = RedisStore(open_link(own_redis.url.replace("redis://", "redis://:hunter2@")), clock)
    for _ in range(2):
        with pytest.raises(GatewayError) as caught:
            await store.get(SESSION.key)
        assert "Redis refuses the user or password" in tell(caught.value)
    await store.close()
    assert "hunter2" not in repr(store)


async def test_a_full_server_is_told(own_redis: RedisServer, clock: HandClock) -> None:
    """One that has no room for a login says so."""
    store = RedisStore(open_link(own_redis.url), clock)
    own_redis.command("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(GatewayError) as caught:
        await store.create(SESSION, None, 10)
    assert "Redis is full" in tell(caught.value)
    await store.close()


# Servers that cannot be reached


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("127.0.0.1:1", "nothing listens at Redis' address"),
        ("localhost:1", "nothing listens at Redis' address"),
        ("nobody.invalid:1", "Redis' host name is not known"),
    ],
)
async def test_who_cannot_be_reached_is_told(clock: HandClock, address: str, told: str) -> None:
    """As what it is, without the address."""
    cause = await cause_of(f"redis://{address}", clock)
    assert f"({told})" in cause
    assert address.partition(":")[0] not in cause


def test_a_look_up_that_is_cut_off_leaves_nothing_behind() -> None:
    """On uvloop, whose own look-ups leave a failure that nobody retrieves."""
    complaints: list[object] = []

    async def cut_off() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: complaints.append(context))
        for _ in range(5):
            made = connector_of(parse_redis_url("redis://nobody.invalid"))("nobody.invalid", 1)
            attempt = asyncio.create_task(connect(made))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            attempt.cancel()
            await asyncio.gather(attempt, return_exceptions=True)
        await asyncio.sleep(0.1)  # the resolver's threads come back
        gc.collect()

    uvloop.run(cut_off())
    assert complaints == []
