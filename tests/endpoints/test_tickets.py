"""`POST /session/ticket`, and `?gw_ticket=` on a running gateway (design sections 4, 5 and 8)."""

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.endpoints.tickets import TICKETS_PER_MINUTE
from gateway.sessions.tickets import TICKET_S
from tests.support.gateway import ROUTES, RunningGateway, problem, run_gateway
from tests.support.own import FORM, JSON, assert_unsaid, bearer, send, who
from tests.support.raw import Message
from tests.support.sessions import HandClock
from tests.support.websocket import client_frame, opened

MORE: dict[str, object] = {
    "routes": [
        *ROUTES,
        {"path": "/live/", "upstream": "main", "ticket": True},
        {"path": "/open/", "upstream": "main", "session": "optional", "ticket": True},
        {"path": "/own.txt", "respond": {"body": "yours\n"}, "ticket": True},
    ]
}


@pytest.fixture
async def taking(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """A gateway with routes that take tickets."""
    async with run_gateway(tmp_path, MORE) as running:
        yield running


async def ask_for(running: RunningGateway, token: str, path: object) -> Message:
    return await running.post("/session/ticket", {"path": path}, bearer(token))


async def ticket_for(running: RunningGateway, token: str, path: str) -> str:
    answer = await ask_for(running, token, path)
    assert answer.status == 200, answer
    told = json.loads(answer.body)
    assert told == {"ticket": told["ticket"], "expires_in": 30}
    assert answer.value("Cache-Control") == "no-store"
    return str(told["ticket"])


async def test_a_download_with_a_ticket(taking: RunningGateway) -> None:
    """The service learns who comes, and nothing of the ticket; the second time it is used up."""
    token = await taking.login()
    ticket = await ticket_for(taking, token, "/live/file.pdf")
    for query, told in (("a=%zz&gw_ticket={}&b", "?a=%zz&b"), ("gw_ticket={}", "")):
        target = f"/live/file.pdf?{query.format(ticket)}"
        assert (await taking.get(target)).status == 200
        seen = taking.upstream.requests[-1]
        assert seen.target == f"/live/file.pdf{told}"
        assert seen.value("X-OpenId") == (await taking.codes())["openid"]
        assert ticket.encode() not in seen.raw_head
        again = await taking.get(target)
        assert (again.status, problem(again)["code"]) == (401, "session_invalid")
        ticket = await ticket_for(taking, token, "/live/file.pdf")


async def test_a_websocket_with_a_ticket(taking: RunningGateway) -> None:
    """It opens as its session, which it also ends with."""
    token = await taking.login()
    ticket = await ticket_for(taking, token, "/live/ws")
    client, peer = await opened(taking, f"/live/ws?room=1&gw_ticket={ticket}".encode())
    assert taking.log_text().count("/live/ws") == 0  # it is open
    await send(taking, "POST /logout", b"", bearer(token))
    assert (await client_frame(client)).close == (4401, "session ended")
    await client.close()
    peer.close()


async def test_a_route_that_answers_itself_takes_tickets_too(taking: RunningGateway) -> None:
    """One decision for every door."""
    ticket = await ticket_for(taking, await taking.login(), "/own.txt")
    assert (await taking.get(f"/own.txt?gw_ticket={ticket}")).body == b"yours\n"
    assert problem(await taking.get(f"/own.txt?gw_ticket={ticket}"))["code"] == "session_invalid"


async def test_a_ticket_is_for_its_path_however_it_is_spelt(taking: RunningGateway) -> None:
    """The path as routes are matched; tried elsewhere it is used up."""
    token = await taking.login()
    ticket = await ticket_for(taking, token, "/live/%61%e8")
    assert (await taking.get(f"/live/a%E8?gw%5fticket={ticket}")).status == 200
    ticket = await ticket_for(taking, token, "/live/a")
    for path in ("/live/b", "/live/a"):
        answer = await taking.get(f"{path}?gw_ticket={ticket}")
        assert problem(answer)["code"] == "session_invalid"


async def test_where_none_is_taken_one_is_cut_out_all_the_same(taking: RunningGateway) -> None:
    """It is looked at nowhere else, so it is still good."""
    token = await taking.login()
    ticket = await ticket_for(taking, token, "/live/a")
    refused = await taking.get(f"/orders/1?gw_ticket={ticket}")
    assert problem(refused)["code"] == "session_missing"
    for path in ("/public/1", "/opt/1"):
        assert (await taking.get(f"{path}?gw_ticket={ticket}")).status == 200
        assert taking.upstream.requests[-1].target == path
        assert taking.upstream.requests[-1].value("X-OpenId") is None
    assert problem(await taking.get(f"/session?gw_ticket={ticket}"))["code"] == "session_missing"
    assert (await taking.get(f"/live/a?gw_ticket={ticket}")).status == 200


async def test_a_ticket_beside_a_token_is_a_conflict(taking: RunningGateway) -> None:
    """As two tickets are; nothing is used up by it."""
    token = await taking.login()
    ticket = await ticket_for(taking, token, "/live/a")
    target = f"/live/a?gw_ticket={ticket}"
    for answer in (
        await who(taking, token, target),
        await taking.get(target, f"X-Session-Token: {token}"),
        await taking.get(f"{target}&gw_ticket={ticket}"),
        await taking.get(f"/open/a?gw_ticket={ticket}&gw_ticket=x"),
    ):
        assert (answer.status, problem(answer)["code"]) == (400, "token_conflict")
    assert (await taking.get(target)).status == 200


async def test_on_an_optional_route_a_bad_ticket_is_not_nobody(taking: RunningGateway) -> None:
    """Without one, nobody may come."""
    assert (await taking.get("/open/a")).status == 200
    assert (await taking.get("/open/a?gw_ticket=")).status == 200
    assert problem(await taking.get("/open/a?gw_ticket=x"))["code"] == "session_invalid"


async def test_a_ticket_ends_with_its_time_and_its_session(tmp_path: Path) -> None:
    """30 s; a session that has ended is told to have."""
    clock = HandClock()
    async with run_gateway(tmp_path, MORE, clock) as running:
        token = await running.login()
        old, ended = [await ticket_for(running, token, "/live/a") for _ in range(2)]
        clock.forward(TICKET_S + 0.5)
        assert problem(await running.get(f"/live/a?gw_ticket={old}"))["code"] == "session_invalid"
        ended = await ticket_for(running, token, "/live/a")
        await send(running, "POST /logout", b"", bearer(token))
        assert problem(await running.get(f"/live/a?gw_ticket={ended}"))["code"] == "session_revoked"


async def test_nothing_tells_a_ticket(
    taking: RunningGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a log nor a refusal, of a good one and a bad one."""
    caplog.set_level(logging.DEBUG)
    ticket = await ticket_for(taking, await taking.login(), "/live/a")
    for status in (200, 401):
        answer = await taking.get(f"/live/a?gw_ticket={ticket}")
        assert answer.status == status
        assert_unsaid(taking, answer, caplog.records, ticket)
    odd = "gwt1.made-up-ticket"
    answer = await taking.get(f"/live/a?gw_ticket={odd}")
    assert_unsaid(taking, answer, caplog.records, odd)


# -- asking for one -------------------------------------------------------------------------------


async def test_tickets_in_a_loop(taking: RunningGateway) -> None:
    """Each is written to the store: one login gets so many a minute, another is not held up."""
    token, other = await taking.login(), await taking.login("shop-wechat", "bob")
    for _ in range(TICKETS_PER_MINUTE):
        await ticket_for(taking, token, "/live/x")
    answer = await ask_for(taking, token, "/live/x")
    assert (answer.status, problem(answer)["code"]) == (429, "rate_limited")
    assert 0 < int(answer.value("Retry-After") or 0) <= 60
    await ticket_for(taking, other, "/live/x")


async def test_a_ticket_wants_a_session(taking: RunningGateway) -> None:
    """By POST only."""
    body = json.dumps({"path": "/live/a"}).encode()
    answer = await send(taking, "POST /session/ticket", body, JSON)
    assert (answer.status, problem(answer)["code"]) == (401, "session_missing")
    token = bearer(await taking.login())
    assert (await taking.get("/session/ticket", token)).status == 405


async def test_a_form_asks_as_well(taking: RunningGateway) -> None:
    """As everywhere (design section 4)."""
    token = await taking.login()
    answer = await send(taking, "POST /session/ticket", b"path=/live/a", FORM, bearer(token))
    ticket = json.loads(answer.body)["ticket"]
    assert (await taking.get(f"/live/a?gw_ticket={ticket}")).status == 200


@pytest.mark.parametrize(
    ("path", "code", "why"),
    [
        (None, "bad_request", "none"),
        ("", "bad_request", "nothing"),
        (1, "bad_request", "no text"),
        (["/live/a"], "bad_request", "nor this"),
        ("live/a", "bad_request", "no path from the root"),
        ("https://gw/live/a", "bad_request", "a whole URL"),
        ("/live/a?b=c", "bad_request", "a query is not bound"),
        ("/live/a?", "bad_request", "not even an empty one"),
        ("/live/a#b", "target_refused", "a fragment"),
        ("/live/../a", "target_refused", "dots"),
        ("/live/a b", "target_refused", "a space"),
        ("/live/\u4f60", "target_refused", "what must be encoded"),
        ("/live/%zz", "target_refused", "no escape"),
        ("/" + "a" * 8192, "target_too_long", "longer than any target"),
    ],
)
async def test_a_path_that_no_request_can_have(
    taking: RunningGateway, path: object, code: str, why: str
) -> None:
    """The same rules as for a request's own."""
    answer = await ask_for(taking, await taking.login(), path)
    assert problem(answer)["code"] == code, why


async def test_tickets_go_where_sessions_are_shown(tmp_path: Path) -> None:
    """Another path moves them along; null switches both off."""
    for session, status in (("/me", 200), (None, 404)):
        folder = tmp_path / str(status)
        folder.mkdir()
        async with run_gateway(folder, {**MORE, "endpoints": {"session": session}}) as running:
            token = await running.login()
            asked = {"path": "/live/a"}
            answer = await running.post("/me/ticket", asked, bearer(token))
            assert answer.status == status
            assert (await running.post("/session/ticket", asked, bearer(token))).status == 404
