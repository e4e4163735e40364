"""What `gateway explain` opens: the store late and without a trace, and nothing that sends."""

import json
from pathlib import Path
from typing import cast

import pytest

from gateway.admission import RawRequest
from gateway.clock import now
from gateway.endpoints.call import Call
from gateway.errors import GatewayError
from gateway.explain import Explanation, describe, explain
from gateway.explaining import open_explain_parts
from gateway.loader import load
from gateway.settings import Settings
from gateway.target import parse
from tests.support.gateway import run_gateway
from tests.support.sessions import HandClock


def request(path: str, token: str | None = None) -> RawRequest:
    """A GET, with a token or without."""
    carried = ((b"X-Session-Token", token.encode()),) if token is not None else ()
    return RawRequest("GET", path, (1, 1), ((b"Host", b"gw"), *carried), "127.0.0.1")


def settings_in(folder: Path) -> Settings:
    """The settings of the gateway that ran here."""
    return load(folder / "gateway.yaml", {}).settings


async def explained(settings: Settings, asked: RawRequest) -> Explanation:
    async with open_explain_parts(settings, now) as parts:
        return await explain(asked, "id", parts)


async def test_without_a_good_token_no_store_is_opened(tmp_path: Path) -> None:
    """Neither is it made: an operator may ask as root, or far from the machine."""
    async with run_gateway(tmp_path) as running:
        settings = running.settings
    for file in (tmp_path / "data").glob("gateway.db*"):
        file.unlink()
    for path, token in (("/public/1", None), ("/orders/1", None), ("/orders/1", "gw1.forged")):
        found = await explained(settings, request(path, token))
        assert found.decision in (
            "forwarded",
            "refused: 401 session_missing",
            "refused: 401 session_invalid",
        )
    assert not (tmp_path / "data" / "gateway.db").exists()


async def test_a_token_is_looked_up(tmp_path: Path) -> None:
    """In the store of a gateway that runs, or ran."""
    async with run_gateway(tmp_path) as running:
        token = await running.login()
        found = await explained(running.settings, request("/orders/1", token))
        assert found.decision == "forwarded"
    async with open_explain_parts(settings_in(tmp_path), now) as parts:
        for _ in range(2):  # opened once, used twice
            found = await explain(request("/orders/1", token), "id", parts)
            assert found.session is not None


async def test_a_lookup_is_no_use(tmp_path: Path) -> None:
    """Else asking about a session would keep it alive."""
    clock = HandClock()
    async with run_gateway(tmp_path, {"session": {"idle_timeout": "1h"}}, clock) as running:
        token = await running.login()
        clock.forward(3000)
        async with open_explain_parts(running.settings, clock) as parts:
            assert (await explain(request("/orders/1", token), "id", parts)).session is not None
        clock.forward(601)
        async with open_explain_parts(running.settings, clock) as parts:
            found = await explain(request("/orders/1", token), "id", parts)
        assert found.decision == "refused: 401 session_expired"


async def test_a_store_that_is_away_is_what_the_gateway_would_say(tmp_path: Path) -> None:
    """503 for a good token; nothing else is touched by it."""
    async with run_gateway(tmp_path) as running:
        token = await running.login()
        settings = running.settings
    (tmp_path / "data" / "gateway.db").unlink()
    (tmp_path / "data" / "gateway.db").mkdir()
    found = await explained(settings, request("/orders/1", token))
    assert found.decision == "refused: 503 store_unavailable"
    assert (await explained(settings, request("/public/1", token))).decision == "forwarded"


async def test_a_ticket_is_looked_at_and_stays_good(tmp_path: Path) -> None:
    """What the gateway would say, as often as asked; then the gateway says it."""
    taking = {"path": "/live/", "upstream": "main", "ticket": True}
    async with run_gateway(tmp_path, {"routes": [taking]}) as running:
        carried = f"Authorization: Bearer {await running.login()}"
        answer = await running.post("/session/ticket", {"path": "/live/a"}, carried)
        ticket = json.loads(answer.body)["ticket"]
        asked = {
            f"/live/a?x&gw_ticket={ticket}": "forwarded",
            f"/live/b?gw_ticket={ticket}": "refused: 401 session_invalid",
            f"/live/a?gw_ticket={ticket}&gw_ticket=": "forwarded",
            f"/live/a?gw_ticket={ticket}&gw_ticket=x": "refused: 400 token_conflict",
        }
        for target, decision in asked.items():
            found = await explained(running.settings, request(target))
            assert found.decision == decision, target
            assert ticket not in describe(found)
        assert (await running.get(f"/live/a?gw_ticket={ticket}")).status == 200
        found = await explained(running.settings, request(f"/live/a?gw_ticket={ticket}"))
        assert found.decision == "refused: 401 session_invalid"


async def test_a_ticket_that_cannot_be_one_opens_no_store(tmp_path: Path) -> None:
    """As a forged token does not."""
    taking = {"path": "/live/", "upstream": "main", "ticket": True}
    async with run_gateway(tmp_path, {"routes": [taking]}) as running:
        settings = running.settings
    for file in (tmp_path / "data").glob("gateway.db*"):
        file.unlink()
    found = await explained(settings, request("/live/a?gw_ticket=x"))
    assert found.decision == "refused: 401 session_invalid"
    assert not (tmp_path / "data" / "gateway.db").exists()


async def test_a_login_is_not_carried_out(tmp_path: Path) -> None:
    """The endpoint is named; who stands behind it sends nothing."""
    async with run_gateway(tmp_path) as running:
        settings = running.settings
    async with open_explain_parts(settings, now) as parts:
        found = parts.endpoints.find("gw", parse("/login", 100))
        assert found is not None
        with pytest.raises(GatewayError) as refused:
            await found.endpoint.handler(cast("Call", None))
    assert refused.value.code == "internal_error"
