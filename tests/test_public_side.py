"""The public side opens without listening; who runs it gives it sockets."""

from pathlib import Path

import pytest

from gateway.build import build_sessions, build_store
from gateway.clock import now
from gateway.metrics.counts import Counts
from gateway.public_side import open_public_side
from gateway.sessions.opening import open_sessions
from gateway.settings import Listen
from gateway.sockets import open_sockets
from tests.support.gateway import RunningGateway
from tests.support.raw import ask

GET = b"GET /hello.txt HTTP/1.1\r\nHost: gw\r\n\r\n"


async def test_it_serves_on_the_sockets_it_is_given(running: RunningGateway) -> None:
    """Several, as a name with several addresses has; counted where it was told to count."""
    counts = Counts()
    store = build_store(running.settings, now)
    first, second = [await open_sockets(Listen("127.0.0.1", 0)) for _ in range(2)]
    async with (
        open_sessions(build_sessions(running.settings, now, store)) as sessions,
        open_public_side(running.settings, now, sessions, store, counts) as public,
    ):
        await public.listener.open([*first.of(0), *second.of(0)])
        for each in (first, second):
            each.close()
            assert (await ask(each.port, GET)).status == 200
        seen = [public.is_draining]
        await public.listener.close()
        assert [*seen, public.is_draining] == [False, True]
    assert "/hello.txt" in str(counts.snapshot())


async def test_a_log_that_cannot_be_opened_fails_the_start(
    running: RunningGateway, tmp_path: Path
) -> None:
    """Before anything is served."""
    logs = running.settings.logs.model_copy(update={"access": tmp_path / "no" / "access.log"})
    settings = running.settings.model_copy(update={"logs": logs})
    store = build_store(settings, now)
    async with open_sessions(build_sessions(settings, now, store)) as sessions:
        with pytest.raises(FileNotFoundError):
            async with open_public_side(settings, now, sessions, store, Counts()):
                pass
