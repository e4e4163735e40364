"""Keys are changed over restarts of whole gateways, on both stores (design sections 3 and 5)."""

import base64
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.app import Gateway
from gateway.build import build_sessions
from gateway.errors import SettingsError
from gateway.sessions.keyring import KeyRing
from gateway.sessions.model import Subject
from gateway.sessions.sealing import check_sealing_keys
from gateway.sessions.service import NewLogin, SessionPolicy, SessionService
from gateway.sessions.stores import open_store
from gateway.sessions.token import TokenSigner
from gateway.settings import Settings
from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.own import token_of, who
from tests.support.redis_server import RedisServer, running_redis
from tests.support.sessions import HandClock

OLD_SIGNING, NEW_SIGNING = "old-signing-key-" + "o" * 16, "new-signing-key-" + "n" * 16
OLD, NEW = (base64.b64encode(letter * 32).decode() for letter in (b"o", b"n"))
DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Place:
    """A store that outlives its gateways, and the clock of all of them."""

    folder: Path
    store: str
    clock: HandClock

    @asynccontextmanager
    async def run(
        self, encryption: list[str], signing: list[str] | None = None, machine: str = "a"
    ) -> AsyncIterator[RunningGateway]:
        """Run a gateway with these keys, newest first."""
        folder = self.folder / machine
        folder.mkdir(exist_ok=True)
        keys = {"signing_keys": signing or [OLD_SIGNING], "encryption_keys": encryption}
        changes = {"session": {**keys, "store": self.store}}
        async with run_gateway(folder, changes, self.clock) as running:
            yield running

    async def opened(self, settings: Settings, subject: Subject) -> int:
        """How many of a subject's session_keys these settings open."""
        sessions = build_sessions(settings, self.clock)
        await sessions.open()
        found = await sessions.session_keys(subject)
        await sessions.close()
        return len(found)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of this test alone: several gateways come and go on it."""
    yield from running_redis(tmp_path)


@pytest.fixture(params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each kind of store in turn."""
    if request.param == "sqlite":
        return Place(tmp_path, f"sqlite:{tmp_path / 'gateway.db'}", HandClock())
    server: RedisServer = request.getfixturevalue("redis")
    return Place(tmp_path, server.url, HandClock())


async def log_in(running: RunningGateway) -> tuple[str, Subject]:
    """Log alice in; her token, and who she is."""
    codes = await running.codes()
    answer = await running.post("/login", {"app": "shop-wechat", "code": codes["code"]})
    return token_of(answer), Subject("wechat", "wxshop", "user", str(codes["openid"]))


async def test_a_new_first_signing_key_logs_nobody_out(place: Place) -> None:
    """The old one still verifies; taken away, it ends what it signed, and nothing else (S5, S6)."""
    async with place.run([OLD]) as running:
        old_token, _ = await log_in(running)
    async with place.run([OLD], [NEW_SIGNING, OLD_SIGNING]) as running:
        assert (await who(running, old_token)).status == 200
        new_token, _ = await log_in(running)
    async with place.run([OLD], [NEW_SIGNING]) as running:
        assert problem(await who(running, old_token))["code"] == "session_invalid"
        assert (await who(running, new_token)).status == 200


async def test_a_new_first_encryption_key_opens_old_records(place: Place) -> None:
    """And seals the new ones: both session_keys of the subject are there."""
    async with place.run([OLD]) as running:
        token, subject = await log_in(running)
    async with place.run([NEW, OLD]) as running:
        assert (await who(running, token)).status == 200
        assert await place.opened(running.settings, subject) == 1
        _, again = await log_in(running)
        assert await place.opened(running.settings, again) >= 1


async def test_a_needed_encryption_key_is_not_taken_away(place: Place) -> None:
    """The start is refused, before anything serves; with the key back, all is well."""
    async with place.run([OLD]) as running:
        token, subject = await log_in(running)
    with pytest.raises(SettingsError, match=r"--drop-encryption-keys"):
        async with place.run([NEW]):
            pass
    async with place.run([NEW, OLD]) as running:
        assert (await who(running, token)).status == 200
        assert await place.opened(running.settings, subject) == 1


async def test_a_key_may_go_when_nothing_needs_it(place: Place) -> None:
    """`max_lifetime` after it was last the first; not a day sooner."""
    async with place.run([OLD]) as running:
        await log_in(running)
    place.clock.forward(179 * DAY_S)
    with pytest.raises(SettingsError):
        async with place.run([NEW]):
            pass
    place.clock.forward(2 * DAY_S)
    async with place.run([NEW]):
        pass


async def test_a_dropped_key_costs_what_it_sealed(place: Place) -> None:
    """Forced: sessions go on, their session_keys are lost, and the next start asks nothing."""
    async with place.run([OLD]) as running:
        token, subject = await log_in(running)
    async with place.run([NEW, OLD]) as running:
        settings = _with_only_the_first_encryption_key(running.settings)
    with pytest.raises(SettingsError):
        await Gateway(settings, place.clock).__aenter__()
    async with Gateway(settings, place.clock, drops_keys=True):
        pass
    async with place.run([NEW]) as running:
        assert (await who(running, token)).status == 200
        assert await place.opened(running.settings, subject) == 0


def _with_only_the_first_encryption_key(settings: Settings) -> Settings:
    session = settings.session
    first = {"encryption_keys": session.encryption_keys[:1]}
    return settings.model_copy(update={"session": session.model_copy(update=first)})


async def test_two_machines_change_their_keys_in_turn(place: Place) -> None:
    """Second everywhere, then first: at no step does one meet what it cannot open.

    The order is that of docs/keys.md; tokens and records cross over at each step.
    """
    before, prepared, changed = "old", "old new", "new old"
    steps = [(before, before), (prepared, before), (prepared, prepared)]
    for step in [*steps, (changed, prepared), (changed, changed)]:
        (a_encryption, a_signing), (b_encryption, b_signing) = map(_rings, step)
        async with (
            place.run(a_encryption, a_signing, "a") as a,
            place.run(b_encryption, b_signing, "b") as b,
        ):
            await _cross(place, a, b)


def _rings(names: str) -> tuple[list[str], list[str]]:
    """Encryption keys and signing keys of these names."""
    encryption, signing = {"old": OLD, "new": NEW}, {"old": OLD_SIGNING, "new": NEW_SIGNING}
    return [encryption[name] for name in names.split()], [signing[name] for name in names.split()]


async def _cross(place: Place, a: RunningGateway, b: RunningGateway) -> None:
    """Whoever logs in at one is known at the other."""
    for here, there in ((a, b), (b, a)):
        token, subject = await log_in(here)
        assert (await who(there, token)).status == 200
        opened = [await place.opened(each.settings, subject) for each in (here, there)]
        assert opened[0] == opened[1] >= 1


async def test_a_machine_without_the_new_key_is_refused(place: Place) -> None:
    """Where one was forgotten, its next start says so, instead of losing what others sealed."""
    async with place.run([NEW, OLD], machine="a") as a:
        await log_in(a)
    with pytest.raises(SettingsError, match=r"session\.encryption_keys"):
        async with place.run([OLD], machine="b"):
            pass


async def test_a_raised_max_lifetime_is_noted_at_renewal(place: Place) -> None:
    """Else the key could be taken away, though the renewed session needs its `session_key`."""
    first, raised = service_on(place, [b"o" * 32], 40), service_on(place, [b"o" * 32], 400)
    await first.open()
    login = NewLogin("shop", Subject("wechat", "wx1", "user", "o1"), session_key="made-up")
    session = (await first.create(login)).session
    await first.close()
    await raised.open()
    for _ in range(5):
        place.clock.forward(20 * DAY_S)
        session = (await raised.renew(session)).session
    assert len(await raised.session_keys(session.subject)) == 1
    await raised.close()
    with pytest.raises(SettingsError):
        await check(place, [b"n" * 32])


async def test_a_later_login_does_not_lengthen_an_earlier_keys_time(place: Place) -> None:
    """What the old key sealed is used no more when start-up no longer asks for it."""
    first = service_on(place, [b"o" * 32], 40)
    second = service_on(place, [b"n" * 32, b"o" * 32], 40)
    login = NewLogin("shop", Subject("wechat", "wx1", "user", "o1"), session_key="made-up")
    await first.open()
    await first.create(login)
    await first.close()
    place.clock.forward(20 * DAY_S)
    await second.open()
    session = (await second.create(login)).session
    place.clock.forward(15 * DAY_S)
    session = (await second.renew(session)).session
    assert len(await second.session_keys(session.subject)) == 2
    place.clock.forward(6 * DAY_S)
    assert len(await second.session_keys(session.subject)) == 1
    await second.close()
    await check(place, [b"n" * 32])


def service_on(place: Place, keys: list[bytes], max_days: int) -> SessionService:
    """Sessions on this store, with these encryption keys."""
    policy = SessionPolicy(30 * DAY_S, max_days * DAY_S, None, 10)
    store = open_store(place.store, place.clock)
    signer = TokenSigner([OLD_SIGNING])
    return SessionService(store, signer, KeyRing(keys), place.clock, policy, secrets.token_bytes)


async def check(place: Place, keys: list[bytes]) -> None:
    """Do what a start does."""
    store = open_store(place.store, place.clock)
    await store.open()
    try:
        await check_sealing_keys(store, KeyRing(keys).key_ids)
    finally:
        await store.close()
