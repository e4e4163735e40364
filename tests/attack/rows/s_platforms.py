"""S15, S16: what a hostile platform may answer; none of it makes a session.

The service that records is the platform here: its replies are what the platform says.
"""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.attack.model import Arrives, Case, Entry, Expect, Proven, Reply

STAGE = "platforms"
SLOW_APP_ID = "wechatimpatient"
OPENID = "o-of-the-hostile-platform-1"
_ERROR = (502, "platform_error")
_BUSY = (503, "platform_busy")
_LATE = (504, "platform_timeout")
_RATE = (429, "rate_limited")


@dataclass(frozen=True, slots=True)
class Platform:
    """How one platform is called, and where it puts things."""

    name: str
    called: bytes
    wrap: Callable[[object], object]
    refuse: Callable[[object], object]
    used: int | str


def _ids(openid: object) -> dict[str, object]:
    return {"openid": openid, "session_key": "c2Vzc2lvbi1rZXktb2YtYQ=="}


PLATFORMS = (
    Platform(
        name="wechat",
        called=b"GET /sns/jscode2session",
        wrap=_ids,
        refuse=lambda number: {"errcode": number, "errmsg": "evil"},
        used=40029,
    ),
    Platform(
        name="douyin",
        called=b"POST /api/apps/v2/jscode2session",
        wrap=lambda openid: {"err_no": 0, "data": _ids(openid)},
        refuse=lambda number: {"err_no": number, "err_tips": "evil"},
        used=40018,
    ),
    Platform(
        name="kuaishou",
        called=b"POST /oauth2/mp/code2session",
        wrap=lambda openid: {"result": 1, "open_id": openid, "session_key": "a2V5"},
        refuse=lambda number: {"result": number, "error_msg": "evil"},
        used=100200105,
    ),
    Platform(
        name="baidu",
        called=b"POST /oauth/jscode2sessionkey",
        wrap=_ids,
        refuse=lambda word: {"error": word, "error_description": "evil"},
        used="invalid_grant",
    ),
)


def app_settings() -> dict[str, object]:
    """One app at each platform, all of which are the recording service; one is impatient."""
    apps: dict[str, object] = {
        f"hostile-{each.name}": {
            "platform": each.name,
            "app_key" if each.name == "baidu" else "app_id": f"{each.name}hostile",
            "secret": "secret-of-the-hostile-apps",
            "api_base": "http://@MAIN@",
            "timeout": "3s",
        }
        for each in PLATFORMS
    }
    hostile = apps["hostile-wechat"]
    assert isinstance(hostile, dict)
    return {**apps, "impatient": {**hostile, "app_id": SLOW_APP_ID, "timeout": "150ms"}}


# -- answers --------------------------------------------------------------------------------------


def _answer(body: bytes, status: bytes = b"200 OK", *lines: bytes) -> bytes:
    head = (b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *lines)
    return b"\r\n".join((*head, b"", body))


def _json(document: object, status: bytes = b"200 OK") -> bytes:
    return _answer(json.dumps(document).encode(), status, b"Content-Type: application/json")


_OPENIDS: tuple[tuple[str, object], ...] = (
    ("a number", 12345),
    ("nought", 0),
    ("true", True),
    ("null", None),
    ("a list", ["evil"]),
    ("an object", {"evil": 1}),
    ("empty", ""),
    ("the text 0", "0"),
    ("the text null", "null"),
    ("the text None", "None"),
    ("the text undefined", "undefined"),
    ("with CR LF", "evil\r\nX-OpenId: evil"),
    ("with LF", "evil\nX-OpenId: evil"),
    ("with a NUL", "evil\0"),
    ("with a tab", "evil\tid"),
    ("with a space", "evil id"),
    ("with a comma", "evil,evil"),
    ("outside ASCII", "evil\u00e9"),
    ("full width", "\uff45vil"),
    ("half a surrogate", "evil\ud800"),
    ("of 129 bytes", "e" * 129),
    ("of 4 kB", "e" * 4096),
    ("a guest's", "anonymous:evil"),
)
_BODIES: tuple[tuple[str, bytes], ...] = (
    ("HTML", b"<html><title>evil</title></html>"),
    ("nothing", b""),
    ("white space", b" \r\n "),
    ("a list", b'[{"openid":"evil"}]'),
    ("a text", b'"evil"'),
    ("a number", b"1"),
    ("null", b"null"),
    ("an object that breaks off", b'{"openid":"evil'),
    ("two objects", b'{"openid":"evil"}{"openid":"evil"}'),
    ("a comment", b'{"openid":"evil"/*x*/}'),
    ("single quotes", b"{'openid':'evil'}"),
    ("NaN", b'{"openid":"evil","x":NaN}'),
    ("1e400", b'{"openid":"evil","x":1e400}'),
    ("UTF-16", '{"openid":"evil"}'.encode("utf-16")),
    ("no UTF-8", b'{"openid":"evil\xff"}'),
    ("100,000 brackets", b"[" * 100_000),
    ("a long number", b'{"errcode":' + b"9" * 5000 + b"}"),
    ("a name twice", b'{"openid":"evil","openid":"evil2"}'),
    ("an error number twice", b'{"errcode":1,"errcode":0,"openid":"evil"}'),
    ("JSONP", b'evil({"openid":"evil"})'),
    ("an anti-hijacking prefix", b')]}\',\n{"openid":"evil"}'),
)
_LARGE = b'{"openid":"' + b"e" * 10_000_000 + b'"}'


def _documents(platform: Platform) -> Iterator[tuple[str, bytes, tuple[int, str]]]:
    """List answers that are HTTP: what they are, their bytes, what comes of it."""
    good = json.dumps(platform.wrap(OPENID)).encode()
    for title, openid in _OPENIDS:
        yield f"an openid {title}", _json(platform.wrap(openid)), _ERROR
    for title, body in _BODIES:
        yield f"a body of {title}", _answer(body), _ERROR
    yield "no openid", _json({}), _ERROR
    yield "a used code", _json(platform.refuse(platform.used)), (401, "code_invalid")
    yield "an unknown error", _json(platform.refuse(777_777)), _ERROR
    yield "an error number with CR LF", _json(platform.refuse("1\r\nSet-Cookie: evil")), _ERROR
    refusal = {**dict(platform.wrap(OPENID)), **dict(platform.refuse(777_777))}  # type: ignore[call-overload] # both are mappings
    yield "an openid beside an error", _json(refusal), _ERROR
    for status in (b"301 Moved", b"302 Found", b"303 See Other", b"307 Again", b"308 Always"):
        line = b"Location: http://127.0.0.1:1/evil"
        yield f"a redirect, {status.decode()}", _answer(good, status, line), _ERROR
    yield "an openid with 500", _json(platform.wrap(OPENID), b"500 Evil"), _BUSY
    yield "an openid with 404", _json(platform.wrap(OPENID), b"404 Not Found"), _ERROR
    yield "HTML with 502", _answer(b"<html>evil</html>", b"502 Bad Gateway"), _BUSY
    yield "HTML with 429", _answer(b"<html>evil</html>", b"429 Slow Down"), _RATE
    yield "204", b"HTTP/1.1 204 No Content\r\n\r\n", _ERROR
    yield "10 MB", _answer(_LARGE), _ERROR
    bomb = gzip.compress(b" " * 30_000_000 + good)
    zipped = b"Content-Encoding: gzip"
    yield "a gzip bomb", _answer(bomb, b"200 OK", zipped), _ERROR
    yield "bad gzip", _answer(b"evil" * 20, b"200 OK", zipped), _ERROR
    yield "gzip that breaks off", _answer(gzip.compress(good)[:-20], b"200 OK", zipped), _ERROR


def _streams() -> Iterator[tuple[str, bytes, bool, tuple[int, str]]]:
    """List what is no HTTP answer, or not whole; and whether the platform closes then."""
    good = b'{"openid":"evil"}'
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
    yield "nothing, closed", b"", True, _ERROR
    yield "garbage", b"evil evil evil\r\n\r\n", True, _ERROR
    yield "HTTP/0.9", good, True, _ERROR
    yield "HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", True, _ERROR
    yield "TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", True, _ERROR
    yield "status 999999", b"HTTP/1.1 999999 evil\r\nContent-Length: 0\r\n\r\n", True, _ERROR
    yield (
        "two lengths",
        b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\nContent-Length: 5\r\n\r\n" + good,
        *(True, _ERROR),
    )
    both = chunked + b"Content-Length: 17\r\n\r\n"
    yield "length and chunks", both + b"11\r\n" + good + b"\r\n0\r\n\r\n", True, _ERROR
    yield "a bad chunk", chunked + b"\r\nevil\r\n" + good, True, _ERROR
    yield "chunks that break off", chunked + b"\r\n11\r\n" + good[:9], True, _ERROR
    yield "a body that breaks off", _answer(good)[:-5], True, _ERROR
    long_line = b"HTTP/1.1 200 OK\r\nX: " + b"e" * 1_000_000 + b"\r\n\r\n"
    yield "a header of 1 MB", long_line, True, _ERROR
    yield "10,000 headers", b"HTTP/1.1 200 OK\r\n" + b"X: e\r\n" * 10_000 + b"\r\n", True, _ERROR
    yield (
        "a header with NUL",
        b"HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 0\r\n\r\n",
        True,
        _ERROR,
    )
    yield "101", b"HTTP/1.1 101 Evil\r\nUpgrade: evil\r\nConnection: upgrade\r\n\r\n", True, _ERROR


def _slow() -> Iterator[tuple[str, bytes]]:
    """List what begins, and does not go on; the platform stays connected."""
    yield "half a head", b"HTTP/1.1 200 OK\r\nX: "
    yield "half a body", b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"openid":"evil"'
    yield "100 and nothing more", b"HTTP/1.1 100 Continue\r\n\r\n"


# -- cases ----------------------------------------------------------------------------------------


def _case(
    platform: Platform, title: str, reply: Reply, outcome: tuple[int, str], app_id: str = ""
) -> Case:
    names = (platform.name, app_id or f"{platform.name}hostile")
    path = "/api/v1/registers/{}_program/{}".format(*names).encode()
    status, code = outcome
    return Case(
        row="S15",
        title=f"{platform.name}: {title}",
        send=b"GET %b?code=@CODE@ HTTP/1.1\r\nHost: @HOST@\r\n\r\n" % path,
        expect=Expect(
            statuses=(frozenset({status}),),
            ends="open",
            arrives=(Arrives(person=None),),
            codes=frozenset({code} if code else ()),
            holds=() if code else (b'"token"',),
            hides=(b"Set-Cookie", b"session_key", OPENID.encode()),
        ),
        stage=STAGE,
        may_arrive=(platform.called,),
        methods=(b"GET",),
        replies=(reply,),
        explained=False,
    )


def entries() -> Iterator[Entry]:
    """List these rows."""
    for platform in PLATFORMS:
        good = _json(platform.wrap(OPENID))
        yield _case(platform, "a good answer, to compare", Reply(good), (200, ""))
        for title, data, outcome in _documents(platform):
            yield _case(platform, title, Reply(data), outcome)
        for title, data, closes, outcome in _streams():
            yield _case(platform, title, Reply(data, closes), outcome)
    for title, data in _slow():
        yield _case(PLATFORMS[0], title, Reply(data), _LATE, SLOW_APP_ID)
    without_key = {"openid": OPENID}  # the page asks for no session; design 4: openid is enough
    yield _case(PLATFORMS[0], "no session_key", Reply(_json(without_key)), (200, ""))
    yield Proven(
        row="S15",
        title="memory and time are bounded",
        tests=(
            "tests/platforms/test_api.py::test_a_gzip_bomb_costs_little_memory",
            "tests/platforms/test_api.py::test_the_limit_is_1_mib",
            "tests/platforms/test_api.py::test_the_deadline_covers_all_calls_of_a_line",
            "tests/platforms/test_contract_refusals.py::test_a_slow_platform_is_given_up",
        ),
    )
    yield Proven(
        row="S16",
        title="TLS is verified; no environment proxy, no redirect, no secret in what is said",
        tests=(
            "tests/platforms/test_api.py::test_tls_is_verified",
            "tests/platforms/test_api.py::test_the_apps_proxy_is_used_and_the_environments_is_not",
            "tests/platforms/test_contract_refusals.py::test_no_redirect_is_followed",
            "tests/platforms/test_contract_refusals.py::test_nothing_private_is_logged",
            "tests/attack/test_leakage.py",
        ),
    )
