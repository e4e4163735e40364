"""S5, S9, S12, S14, S17: replays, fixation, whose session goes where, and what stays here."""

import json
import secrets
from collections.abc import Iterator

from tests.attack.asking import Told, settled, tell, tell_admin, until
from tests.attack.model import (
    Arrives,
    Case,
    Check,
    Entry,
    Expect,
    NotApplicable,
    Person,
    Proven,
    Reply,
    refused,
)
from tests.attack.play import Play, play
from tests.attack.rows.s_platforms import PLATFORMS
from tests.attack.stage import Stage

STAGE = "platforms"


def somebody() -> str:
    """Name a user whom nobody has met."""
    return f"user-{secrets.token_hex(6)}"


def differs(told: Told, status: int, code: str) -> list[str]:
    """Say what differs from a refusal with this status and code."""
    good = (told.status, told.code) == (status, code)
    return [] if good else [f"answered {told.status} {told.code}, expected {status} {code}"]


# -- S5: replays ----------------------------------------------------------------------------------


def _after_logout(stage: Stage) -> list[str]:
    token, _ = stage.login(user=somebody())
    amiss = [] if tell(stage, "GET /api/x", token=token).status == 200 else ["it was no session"]
    tell(stage, "POST /logout", token=token)
    for line in ("GET /api/x", "GET /opt/x", "GET /session", "POST /session/renew", "POST /logout"):
        amiss += differs(tell(stage, line, token=token), 401, "session_revoked")
    return amiss


def _after_logout_everywhere(stage: Stage) -> list[str]:
    user = somebody()
    tokens = [stage.login(user=user)[0] for _ in range(3)]
    other, _ = stage.login(user=somebody())
    told = tell(stage, "POST /logout?everywhere=true", token=tokens[0])
    amiss = [] if told.status == 204 else [f"logout answered {told.status}"]
    for token in tokens:
        amiss += differs(tell(stage, "GET /api/x", token=token), 401, "session_revoked")
    kept = tell(stage, "GET /api/x", token=other).status
    return amiss if kept == 200 else [*amiss, f"another user's session answers {kept}"]


def _after_renewal(stage: Stage) -> list[str]:
    old, _ = stage.login(user=somebody())
    new = str(tell(stage, "POST /session/renew", token=old).document["token"])
    amiss = [] if new != old else ["the token is the old one"]
    tell(stage, "POST /logout", token=old)
    for token in (old, new):
        amiss += differs(tell(stage, "GET /api/x", token=token), 401, "session_revoked")
    return amiss


def _ended_by_operators(stage: Stage) -> list[str]:
    """S14: the worker's cache hears of it within the second that design 5 promises."""
    token, openid = stage.login(user=somebody())
    tell(stage, "GET /api/x", token=token)
    whom = {"platform": "wechat", "app": "shop-wechat", "openid": openid}
    ended = tell_admin(stage, "POST /api/subjects/revoke", body=whom)
    if ended.status != 200:
        return [f"the admin API answered {ended.status}"]
    is_out = until(lambda: tell(stage, "GET /api/x", token=token).status == 401, within_s=1.5)
    return [] if is_out else ["the token goes on"]


# -- S9: fixation ---------------------------------------------------------------------------------


def _chosen_by_the_client(stage: Stage) -> list[str]:
    old, _ = stage.login(user=somebody())
    chosen = "gw1." + "c" * 24 + ".aaaaaa." + "A" * 43
    amiss: list[str] = []
    for carried in (old, chosen):
        body = {
            "app": "shop-wechat",
            "code": stage.code(user=somebody())["code"],
            **dict.fromkeys(("token", "session", "session_id", "sid", "id"), carried),
        }
        headers = {"X-Session-Token": carried, "X-Session-Id": carried, "Cookie": f"sid={carried}"}
        told = tell(stage, "POST /login", token=carried, body=body, headers=headers)
        if told.status != 200:
            amiss.append(f"answered {told.status} {told.code}")
            continue
        token = str(told.document["token"])
        if token.split(".")[1] == carried.split(".")[1] or "set-cookie" in told.headers:
            amiss.append("the session is the client's choice")
        if tell(stage, "GET /api/x", token=chosen).status != 401:
            amiss.append("the token that the client made up is good")
    return amiss


def _always_new(stage: Stage) -> list[str]:
    user = somebody()
    tokens = {stage.login(user=user)[0].split(".")[1] for _ in range(5)}
    return [] if len(tokens) == 5 else ["two logins have one session"]


# -- S12: whose session goes where ----------------------------------------------------------------

_BOUND: tuple[tuple[bytes, Person, bool], ...] = (
    (b"/for-wechat", "A", True),
    (b"/for-wechat", "B", False),
    (b"/for-douyin", "A", False),
    (b"/for-douyin", "B", True),
    (b"/for-app-a", "A", True),
    (b"/for-app-a", "B", False),
    (b"/for-app-b", "A", False),
    (b"/for-app-b", "B", True),
    (b"/for-nobody", "A", False),
    (b"/for-nobody", "B", False),
    (b"/for-b-or-nobody", "A", False),
    (b"/for-b-or-nobody", "B", True),
)


def _bound() -> Iterator[Case]:
    for prefix, person, may in _BOUND:
        for carrier in (b"Authorization: Bearer ", b"X-Session-Token: "):
            token = b"@A@" if person == "A" else b"@B@"
            line = b"GET %b/x HTTP/1.1" % prefix
            send = line + b"\r\nHost: @HOST@\r\n" + carrier + token + b"\r\n\r\n"
            let_in = Expect(
                statuses=(frozenset({200}),),
                ends="open",
                arrives=(Arrives(person=person, line=line),),
            )
            yield Case(
                row="S12",
                title=f"{person} at {prefix.decode()}, {carrier.split(b':')[0].decode()}",
                send=send,
                expect=let_in if may else refused(403, codes=["route_forbidden"], ends="open"),
                stage=STAGE,
            )


# -- S17: what stays here -------------------------------------------------------------------------


def _session_key_stays(stage: Stage) -> list[str]:
    """The recording service is platform and service at once: it gives the key, and gets none."""
    openid, key = f"o-{secrets.token_hex(12)}", secrets.token_urlsafe(18)
    body = json.dumps({**dict(PLATFORMS[0].wrap(openid)), "session_key": key}).encode()  # type: ignore[call-overload] # a mapping
    token, answers = _log_in_there(stage, body)
    lines = ("GET /api/x", "GET /session", "POST /session/renew", "GET /opt/x", "POST /logout")
    for line in lines:
        told = tell(stage, line, token=token)
        answers.append(str(told.headers) + told.body.decode(errors="replace"))
    seen = b"".join(bytes(each.raw) for each in stage.services["main"].take())
    told_admin = tell_admin(stage, f"GET /api/sessions?openid={openid}")
    answers.append(told_admin.body.decode())
    files = [path.read_bytes() for path in stage.folder.rglob("*") if path.is_file()]
    places = {
        "an answer": "".join(answers).encode(),
        "what a service saw": seen,
        "the log": settled(stage).encode(),
        "a file": b"".join(files),
    }
    return [
        f"the session_key is in {name}" for name, data in places.items() if key.encode() in data
    ]


def _log_in_there(stage: Stage, body: bytes) -> tuple[str, list[str]]:
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    path = b"/api/v1/registers/wechat_program/wechathostile"
    sent = stage.fill(
        b"GET " + path + b"?code=@CODE@ HTTP/1.1\r\nHost: @HOST@\r\n\r\n", "public", "none"
    )
    found = play(
        stage.aim, stage.services, Play([sent], (b"GET",), 1, closes=False, replies=(Reply(reply),))
    )
    answer = json.loads(found.finals[0].body)
    return str(answer["token"]), [json.dumps({**answer, "token": ""})]


def _replays() -> Iterator[Entry]:
    for title, run in (
        ("after logout, at every door", _after_logout),
        ("after logout everywhere", _after_logout_everywhere),
        ("after a renewal's logout", _after_renewal),
    ):
        yield Check(row="S5", title=title, run=run)
    yield Proven(
        row="S5",
        title="over restarts, replicas and removed keys",
        tests=(
            "tests/test_bad_input.py::test_after_a_restart_the_same_token_works",
            "tests/together/test_revoked_everywhere.py",
            "tests/sessions/test_revocation.py",
            "tests/sessions/test_token.py::test_key_rotation",
        ),
    )
    yield NotApplicable(
        row="S5",
        title="after the app secret was changed",
        reason="a session stands on no app secret: logout, revocation, a block and time end it;"
        " `next_secret` is there so that a change ends none",
    )
    yield Check(
        row="S14", title="an ending by operators reaches the cache", run=_ended_by_operators
    )
    yield Proven(
        row="S14",
        title="the cache holds verified tokens only, never past an end, and is bounded",
        tests=("tests/sessions/test_cache.py", "tests/sessions/test_memory.py"),
    )


def entries() -> Iterator[Entry]:
    """List these rows."""
    yield from _replays()
    for title, run in (
        ("a session id of the client's choice", _chosen_by_the_client),
        ("every login has an id of its own", _always_new),
    ):
        yield Check(row="S9", title=title, run=run, stage=STAGE)
    yield from _bound()
    title = "session_key stays here: answers, services, logs, files"
    yield Check(row="S17", title=title, run=_session_key_stays, stage=STAGE)
    yield NotApplicable(
        row="S17",
        title="given out where enabled",
        reason="no setting gives session_key or a platform's token to anybody",
    )
