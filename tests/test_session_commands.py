"""`gateway sessions` as operators run it: beside a running gateway, on its store."""

import json
from pathlib import Path

import pytest

from tests.support.commands import Finished, run
from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.own import token_of, who


async def sessions(running: RunningGateway, *words: str) -> Finished:
    return await run(running.folder, "sessions", *words)


async def openid_of(running: RunningGateway, user: str = "alice") -> str:
    return str((await running.codes(user=user))["openid"])


async def test_sessions_are_listed(running: RunningGateway) -> None:
    """A line each: id, subject, app and moments; no token. Filters narrow it, a limit cuts it."""
    tokens = [await running.login(), await running.login(user="bob")]
    openid = await openid_of(running, "bob")
    everything = await sessions(running, "list")
    assert (everything.code, len(everything.out.splitlines())) == (0, 2)
    assert not any(token in everything.out for token in tokens)
    one = await sessions(running, "list", "--openid", openid, "--platform", "wechat")
    key, subject, app, *moments = one.out.strip().split("  ")
    assert (await who(running, tokens[1])).status == 200
    assert running.upstream.requests[-1].value("X-Session-Id") == key
    assert (subject, app) == (f"wechat:wxshop:{openid}", "shop-wechat")
    assert [len(moment) for moment in moments] == [20, 20, 20]
    by_id = await sessions(running, "list", "--app", "wxshop", "--platform", "wechat")
    assert len(by_id.out.splitlines()) == 2
    cut = await sessions(running, "list", "--limit", "1")
    assert len(cut.out.splitlines()) == 1
    assert "raise --limit" in cut.err
    nobody = await sessions(running, "list", "--app", "nobody")
    assert nobody.out == ""
    assert nobody.err == "warning: no configured app has this name and platform\n"
    assert (await sessions(running, "list", "--app", "shop-wechat")).err == ""


async def test_a_session_is_revoked_by_its_id(running: RunningGateway) -> None:
    """Dead in the running gateway; a second time there is none, which is refused."""
    token = await running.login()
    key = (await sessions(running, "list")).out.split("  ")[0]
    ended = await sessions(running, "revoke", key)
    assert (ended.code, ended.out) == (0, "ended 1 session\n")
    assert await refusal(running, token) == "session_revoked"
    again = await sessions(running, "revoke", key)
    assert (again.code, "no session lives under this id" in again.err) == (1, True)


async def refusal(running: RunningGateway, token: str) -> str:
    """Why the gateway refuses a token; it hears of an ending within a second."""
    while (answer := await who(running, token)).status == 200:
        pass
    return str(problem(answer)["code"])


async def test_a_subject_is_revoked_blocked_and_let_in_again(running: RunningGateway) -> None:
    """By the app's name or its platform's id."""
    tokens = [await running.login() for _ in range(2)]
    openid = await openid_of(running)
    ended = await sessions(running, "revoke", "wechat", "wxshop", openid)
    assert (ended.code, ended.out) == (0, "ended 2 sessions\n")
    for token in tokens:
        assert await refusal(running, token) == "session_revoked"
    whom = ("wechat", "shop-wechat", openid)
    until = ("--until", "2100-01-01T00:00:00Z", "--reason", "sold it")
    blocked = "blocked until 2100-01-01T00:00:00Z, ended 0 sessions\n"
    assert (await sessions(running, "block", *whom, *until)).out == blocked
    assert (await sessions(running, "block", *whom)).out == "blocked for good, ended 0 sessions\n"
    login = {"app": "shop-wechat", "code": await running.code()}
    assert problem(await running.post("/login", login))["code"] == "user_blocked"
    gone = ("wechat", "wxshop", openid, "--app-id")
    for said in ("unblocked\n", "was not blocked\n"):
        assert (await sessions(running, "unblock", *gone)).out == said
    login = {"app": "shop-wechat", "code": await running.code()}
    token_of(await running.post("/login", login))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["block", "wechat", "shop-wechat", "o", "--until", "tomorrow"], 2, "`until` is"),
        (["block", "wechat", "shop-wechat", "o", "--until", "1900000000000"], 2, "`until` is"),
        (["block", "wechat", "shop-wechat", "o", "--reason", "a\nb"], 2, "`reason` is"),
        (["block", "wechat", "shop-wechat", "o", "--until", "1"], 1, "over already"),
        (["block", "wechat", "shop-wechat"], 2, "OPENID"),
        (["revoke", "wechat", "shop-wechat"], 2, "name a session by its id"),
        (["revoke", "wechat", "nobody", "o"], 1, "no configured app"),
        (["revoke", "no-id"], 1, "no session lives"),
        (["list", "--limit", "0"], 2, "limit"),
        (["revoke", "-" + "c" * 42], 1, "no session lives"),
        (["revoke", "--", "-" + "c" * 42], 1, "no session lives"),
        (["block", "wechat", "shop-wechat", "-o", "--until", "1"], 1, "over already"),
        (["block", "--until=1", "wechat", "shop-wechat", "--o"], 1, "over already"),
        (["unblock", "wechat", "shop-wechat", "o", "--untl", "1"], 2, "unexpected extra"),
    ],
)
async def test_what_cannot_be_done_is_said(
    tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    """Wrong usage is 2, a refusal 1; on the store alone, for no gateway needs to run."""
    (tmp_path / "gateway.yaml").write_text(json.dumps(SMALL))
    finished = await run(tmp_path, "sessions", *words)
    assert finished.code == code
    assert said in finished.err
    assert "Traceback" not in finished.err


SMALL = {
    "environment": "development",
    "apps": {"shop-wechat": {"platform": "wechat", "app_id": "wx1", "secret": "made-up"}},
}


async def test_a_store_that_is_away_is_said(tmp_path: Path) -> None:
    """In one line, with exit code 1."""
    store = {"session": {"store": "redis://127.0.0.1:1"}}
    (tmp_path / "gateway.yaml").write_text(json.dumps({**SMALL, **store}))
    finished = await run(tmp_path, "sessions", "list")
    assert finished.code == 1
    lines = finished.err.splitlines()
    assert lines[-1] == (
        "Error: store_unavailable: the session store cannot be used"
        " (nothing listens at Redis' address)"
    )
    assert "Traceback" not in finished.err


async def test_a_renewed_login_is_ended_whole(tmp_path: Path) -> None:
    """An id means all sessions of its login."""
    async with run_gateway(tmp_path) as running:
        token = await running.login()
        renewed = await running.post("/session/renew", {}, f"Authorization: Bearer {token}")
        key = (await sessions(running, "list")).out.split("  ")[0]
        assert (await sessions(running, "revoke", key)).out == "ended 2 sessions\n"
        for each in (token, token_of(renewed)):
            assert await refusal(running, each) == "session_revoked"
