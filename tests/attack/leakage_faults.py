"""What goes wrong in a leakage run: platforms, services, clients, operators.

Each fault carries markers to where an error could repeat them. What is said is looked at elsewhere.
"""

import json
from collections.abc import Callable, Iterator, Mapping

from tests.attack.leakage_world import World
from tests.attack.model import Abort, HalfClose, Pause, Person, Reply
from tests.attack.stage import APPS, post

_TRIES = 3


class NoLoginError(Exception):
    """Nobody can log in now."""


# -- platforms ------------------------------------------------------------------------------------

_KINDS = "busy rate blocked secret slow garbage drop empty huge bad_openid redirect string_number"


def simulated_platforms(world: World) -> None:
    """Every fault of the simulator, at two platforms."""
    people: tuple[Person, ...] = ("A", "B")
    for person in people:
        app, platform, _ = APPS[person]
        for kind in _KINDS.split():
            asked = {"platform": platform, "kind": kind, "times": 1, "seconds": 0.8}
            try:
                post(world.stage.simulator_port, "/_sim/faults", asked)
            except RuntimeError:
                continue  # this platform has no number for it
            code = world.mark("code", world.stage.code(person)["code"])
            world.log_in(code, app)
            world.note(f"{platform} {kind}")


def _scripted(markers: Mapping[str, str]) -> Iterator[tuple[str, bytes, bool]]:
    """List what a platform answers that repeats all it was sent, and more."""
    private = {name: markers[name] for name in ("app secret", "next secret", "login code")}
    words = f"evil {json.dumps(private)} {markers['words']}"
    ids = {name: markers[name] for name in ("openid", "unionid", "session_key")}
    html = f"<html>{words} {json.dumps(ids)}</html>".encode()
    for number in (40029, 40125, 40013, 45011, -1, 777, words):
        yield f"number {str(number)[:4]}", _json({"errcode": number, "errmsg": words}), False
    yield "a good answer", _json(ids), False
    yield "an id that is too long", _json({**ids, "openid": ids["openid"] * 9}), False
    yield "an id with CR LF", _json({**ids, "openid": f"{ids['openid']}\r\nX: y"}), False
    yield "an id that is a number's list", _json({**ids, "openid": [ids["openid"]]}), False
    yield (
        "a session_key with a NUL",
        _json({**ids, "session_key": ids["session_key"] + "\0"}),
        False,
    )
    yield "HTML", _answer(html), False
    yield "HTML with 502", _answer(html, b"502 Bad Gateway"), False
    yield "JSON that breaks off", _answer(json.dumps(ids).encode()[:-2]), False
    yield "a name twice", _answer(json.dumps(ids).encode()[:-1] + b',"openid":"x"}'), False
    yield "no UTF-8", _answer(json.dumps(ids).encode()[:-1] + b',"x":"\xff"}'), False
    location = f"Location: http://127.0.0.1:1/?secret={markers['app secret']}".encode()
    yield "a redirect", _answer(html, b"302 Found", location), False
    yield "1 MiB and more", _answer(html + b" " * 1_100_000), False
    yield "garbage", html, True
    yield "a bad header", b"HTTP/1.1 200 OK\r\nX\0: " + html + b"\r\n\r\n", True
    yield "a bad status", b"HTTP/1.1 9x9 " + html + b"\r\n\r\n", True
    yield "bad gzip", _answer(html, b"200 OK", b"Content-Encoding: gzip"), True
    yield "a body that breaks off", _answer(html)[:-5], True
    yield "a bad chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + html, True
    yield "no answer", b"", True
    yield "half a head", b"HTTP/1.1 200 OK\r\nX: " + html, False


def _answer(body: bytes, status: bytes = b"200 OK", *lines: bytes) -> bytes:
    head = (b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *lines)
    return b"\r\n".join((*head, b"", body))


def _json(document: object) -> bytes:
    return _answer(json.dumps(document).encode())


def scripted_platforms(world: World) -> None:
    """A platform whose every answer repeats secret, code and ids."""
    code = world.markers["login code"]
    for number, (fault, data, closes) in enumerate(_scripted(world.markers)):
        world.log_in(f"{code}-{number}", reply=Reply(data, closes))
        world.note(f"platform: {fault}")
    for app in ("no-tls", "away", "no-name", "no-proxy", "nobody", "scripted\0"):
        world.log_in(f"{code}-{app}", app)
        world.note(f"platform: {app!r}")


# -- clients --------------------------------------------------------------------------------------


def session_of(world: World) -> str:
    """Log in as the openid that is a marker, with a session_key that is one.

    Raises: NoLoginError.
    """
    ids = {name: world.markers[name] for name in ("openid", "unionid", "session_key")}
    for number in range(_TRIES):  # a machine with much to do is late now and then
        code = f"{world.markers['login code']}-{len(world.markers)}-{number}"
        made = world.log_in(code, reply=Reply(_json(ids)))
        if made is not None:
            return made
    raise NoLoginError("the platform's good answer was no login")


def clients(world: World) -> None:
    """Requests with everything private in every place, good and malformed."""
    token, markers = session_of(world), world.markers
    basic = f"Basic {markers['password']}"
    private = {"Cookie": f"c={markers['cookie']}", "X-Phone": markers["phone number"]}
    for line in _lines(world, token):
        world.ask(line, token=token, headers=private)
        world.ask(line, headers={**private, "X-Session-Token": token, "Authorization": basic})
        world.note("a request with markers")
    for body in _bodies(markers, token):
        for line in ("POST /login", "POST /session/ticket", "POST /logout?x", "POST /decrypt"):
            world.ask(line, body=body)
        world.note("a body with markers")
    for data in _malformed(world, token):
        world.send(data)
        world.note("bytes that are no request")
    _tickets(world, token)
    renewed = world.renew(token)
    world.ask("POST /logout", token=renewed)
    world.ask("GET /api/x", token=token)


def _lines(world: World, token: str) -> Iterator[str]:
    code, phone = world.markers["login code"], world.markers["phone number"]
    yield from ("GET /api/x", "GET /opt/x", "GET /public/x", "GET /gone/x", "GET /session")
    yield f"GET /public/x?token={token}&code={code}&phone={phone}"
    yield f"GET /api/x?gw_ticket={token}"
    yield f"GET /nowhere/{token}"
    yield f"GET /public/{token}/x;{token}"
    yield f"GET /api/v1/registers/wechat_program/wxscripted?code={code}%00"
    yield f"GET /api/v1/registers/wechat_program/wxnobody?code={code}"
    yield f"GET /login?code={code}"
    yield f"POST /logout?everywhere={token}"
    yield f"GET http://user:{world.markers['cookie']}@evil/x"


def _bodies(markers: Mapping[str, str], token: str) -> Iterator[object]:
    code = markers["login code"]
    yield {"app": "scripted", "code": [code], "phone": markers["phone number"]}
    yield {"app": code, "code": token}
    yield {"app": "scripted", "code": f"{code}\r\n"}
    yield {"app": "scripted", "code": "\ud800" + code}
    yield {"path": f"/x?token={token}"}
    yield {"path": token}
    yield [code, token]
    yield {"encryptedData": code, "iv": token, "session_key": markers["session_key"]}


def _malformed(world: World, token: str) -> Iterator[bytes]:
    host = b"Host: gw.test\r\n"
    bearer = f"Authorization: Bearer {token}".encode()
    cookie = f"Cookie: {world.markers['cookie']}".encode()
    for line in (bearer, cookie, f"X-Phone: {world.markers['phone number']}".encode()):
        for bad in (b"\0", b"\x7f\x01", b"\n x", b"\r", b"\r\n folded"):
            yield b"GET /api/x HTTP/1.1\r\n" + host + line + bad + b"\r\n\r\n"
        yield b"GET /api/x HTTP/1.1\r\n" + host + line.replace(b":", b"") + b"\r\n\r\n"
        yield b"GET /api/x HTTP/1.1\r\n" + host + line + b"y" * 70_000 + b"\r\n\r\n"
        yield b"GET /%b HTTP/1.1\r\n\r\n" % line.replace(b" ", b"")
        yield line + b"\r\n\r\n"
    body = b'{"code":"%b"' % world.markers["login code"].encode()
    head = b"POST /login HTTP/1.1\r\n" + host + b"Content-Type: application/json\r\n"
    yield head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    yield head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + body + b"\r\n0\r\n\r\n"
    yield head + b"Content-Length: %d, 1\r\n\r\n" % len(body) + body


def _tickets(world: World, token: str) -> None:
    told = world.ask("POST /session/ticket", token=token, body={"path": "/tickets/x"}, may=_TICKET)
    if told is None or told.status != 200:
        return
    ticket = world.mark("ticket", str(told.document["ticket"]))
    world.outputs.pop()  # the ticket's own answer, where it has its place
    for line in (f"GET /tickets/x?gw_ticket={ticket}", f"GET /tickets/y?gw_ticket={ticket}"):
        world.ask(line)
        world.ask(line, token=token)
    world.note("tickets, used and spent")


_TICKET = ("ticket",)


def gone_clients(world: World) -> None:
    """Clients that go away in the middle: of a login, a body, an answer."""
    token, code = session_of(world), world.markers["login code"]
    body = json.dumps({"app": "scripted", "code": f"{code}-gone"}).encode()
    login = b"POST /login HTTP/1.1\r\nHost: gw.test\r\nContent-Type: application/json\r\n"
    whole = login + b"Content-Length: %d\r\n\r\n" % len(body) + body
    slow = Reply(b"HTTP/1.1 200 OK\r\nX: ")
    for step in (Abort(), HalfClose()):
        world.send(whole, Pause(0.05), step, replies=(slow,))
        world.send(whole[:-5], Pause(0.05), step)
        head = f"POST /api/x HTTP/1.1\r\nHost: gw.test\r\nAuthorization: Bearer {token}\r\n"
        sent = head.encode() + b"Content-Length: 99999\r\n\r\n"
        world.send(sent + world.markers["request body"].encode(), Pause(0.05), step)
        world.note(f"a client's {type(step).__name__}")


# -- services -------------------------------------------------------------------------------------


def services(world: World) -> None:
    """Services that answer with nothing, garbage, too late, or are not there."""
    token = session_of(world)
    head = f"GET /api/x?phone={world.markers['phone number']} HTTP/1.1\r\nHost: gw.test\r\n"
    sent = head.encode() + f"Authorization: Bearer {token}\r\n\r\n".encode()
    for data, closes in (
        (b"", True),
        (b"HTTP/1.1 200 OK\r\nX: ", False),
        (b"garbage\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort", True),
        (b"HTTP/1.1 101 Switching\r\n\r\n", True),
    ):
        world.send(sent, replies=(Reply(data, closes),) * 2)
        world.note("a service's failure")
    world.ask(f"GET /gone/x?phone={world.markers['phone number']}", token=token)


# -- operators ------------------------------------------------------------------------------------

SHOWN = ("openid", "unionid")
"""What operators with the right to read are told on purpose."""


def operators(world: World) -> None:
    """Every call of the admin listener, good and bad."""
    token, openid = session_of(world), world.markers["openid"]
    whom = {"platform": "wechat", "app": "scripted", "openid": openid}
    world.ask_admin(f"GET /api/sessions?openid={openid}", may=SHOWN)
    for line in (
        *("GET /metrics", "GET /healthz", "GET /readyz", "GET /nowhere"),
        *(f"GET /api/sessions?openid={openid}&x=1", f"GET /api/sessions?after={openid}"),
        *(f"DELETE /api/sessions/{token}", f"GET /api/subjects/block?openid={openid}"),
        f"GET /api/{token}",
    ):
        for given in (None, token, "wrong", ""):
            if given is not None or "openid=" not in line or "x=1" in line:
                world.ask_admin(line, token=given)
        world.note("an admin call")
    for path in ("subjects/revoke", "subjects/block", "subjects/unblock"):
        for body in (
            *(whom, {**whom, "x": token}, {**whom, "app": openid}, {"openid": [openid]}, [openid]),
            {**whom, "until": openid, "reason": openid},
        ):
            world.ask_admin(f"POST /api/{path}", body=body)
            world.ask_admin(f"POST /api/{path}", body=body, token="wrong")
            world.note("an admin call")
    world.ask_admin("POST /api/subjects/unblock", body=whom)


FAULTS: tuple[Callable[[World], None], ...] = (
    simulated_platforms,
    scripted_platforms,
    clients,
    gone_clients,
    services,
    operators,
)
