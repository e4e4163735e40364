"""Fuzzes requests' bytes up to the head a service gets: parser, admission, survey, host, clients.

A differential oracle: what is admitted is what a strict reader of RFC 9112 reads in the same
bytes, and the head built from it is one request with one identity.
"""

import re
from ipaddress import ip_address, ip_network

from aiohttp.http_parser import RawRequestMessage

from gateway.access import Grant
from gateway.admission import AdmissionLimits, Admitted, RawRequest, admit
from gateway.clients import Trust
from gateway.errors import GatewayError, render
from gateway.proxy.head import build_request
from gateway.routing import Route
from gateway.sessions.model import Session, Subject
from gateway.survey import read_token
from tests.attack.cutting import Seen, cut
from tests.attack.fuzz.framing import parse
from tests.attack.fuzz.fuzzer import MARKER, Fuzzer, must
from tests.attack.fuzz.names import FRAMING, HOP_BY_HOP, IDENTITY, folded, is_reserved
from tests.attack.fuzz.reading import Sent, read, read_head

_PEER, _PROXY = "203.0.113.9", "10.0.0.1"
_LIMITS = AdmissionLimits(4096, 512)
_TRUST = Trust((ip_network("10.0.0.0/8"),), "x-forwarded-for")
_TRUST_REAL_IP = Trust((ip_network("10.0.0.0/8"),), "x-real-ip")
_COOKIE = "gw_session"
_OPENID = "oFuzz-1_a"
_SESSION = Session(
    key="k" * 43,
    subject=Subject("wechat", "wxfuzz", "user", _OPENID),
    app="fuzz",
    openid=_OPENID,
    unionid=None,
    anonymous_openid=None,
    created_at=0.0,
    expires_at=1e9,
    last_used_at=0.0,
)
_IDENTITY = (
    (b"X-OpenId", _OPENID.encode()),
    (b"X-Platform", b"wechat"),
    (b"X-AppId", b"wxfuzz"),
    (b"X-Subject", f"wechat:wxfuzz:{_OPENID}".encode()),
    (b"X-Session-Id", b"k" * 43),
)
_OURS = frozenset(
    b"X-Request-Id X-Real-IP X-Forwarded-For X-Forwarded-Prefix X-Forwarded-Proto"
    b" X-Forwarded-Host".split()
)
_BODY = b"12345"
_MAX_BODY_BYTES = 9999  # what longer bodies would add is the time to make them
_TOKEN = re.compile(rb"(?<![A-Za-z0-9._~+/-])gw1\.")
"""A word that begins as ours do (the characters are those of RFC 9110 11.2, token68)."""
_CODES = frozenset(
    ("bad_request", "target_refused", "target_too_long", "headers_too_large", "method_not_allowed")
)


def check(data: bytes) -> None:
    """Try the bytes on the parser and, where they are a head at all, on admission alone."""
    peer = _PROXY if data[:1] == b"~" else _PEER
    data = data.removeprefix(b"~")
    for message, _ in parse([data]).messages[:1]:
        sent = _as_read(data, message)
        raw = RawRequest(
            message.method,
            message.path,
            (message.version.major, message.version.minor),
            message.raw_headers,
            peer,
        )
        _check_raw(raw, sent)
    head = read_head(data.partition(b"\r\n\r\n")[0])
    if head is not None:
        version = (1, int(head.is_1_1))
        target, method = head.target.decode("ascii"), head.method.decode("ascii")
        _check_raw(RawRequest(method, target, version, head.fields, peer), head)


def _as_read(data: bytes, message: RawRequestMessage) -> Sent:
    """What the strict reader makes of the first request, which the parser has taken."""
    reading = read(data)
    sent = next(iter((*reading.requests, *filter(None, (reading.last,)))), None)
    if sent is None:  # the parser takes versions that admission refuses
        must(message.version not in {(1, 0), (1, 1)}, "the parser took what is no head")
        return Sent(b"", b"", is_1_1=False, fields=())
    must(sent.fields == message.raw_headers, "the parser read other fields")
    must(sent.target == message.path.encode("utf-8", "surrogateescape"), "another target")
    must(sent.method == message.method.encode(), "another method")
    return sent


def _check_raw(raw: RawRequest, sent: Sent) -> None:
    trust = _TRUST_REAL_IP if b"?real-ip" in sent.target else _TRUST
    try:
        admitted = admit(raw, "0123456789abcdef", trust, _LIMITS)
    except GatewayError as error:
        must(error.code in _CODES, "another refusal")
        must(MARKER not in error.detail, "a refusal repeats what was sent")
        render(error, "0123456789abcdef")
        return
    must(sent.method, "a version was admitted that is not spoken")
    _check_framing(admitted, sent)
    _check_client(admitted, raw.peer)
    _check_token(admitted, sent)
    for session in (None, _SESSION):
        for prefix in (None, "/api"):
            _check_head(admitted, sent, session, prefix)


def _check_framing(admitted: Admitted, sent: Sent) -> None:
    """Exactly one length, or none, and the very one that was sent."""
    lengths, codings = sent.values(b"content-length"), sent.values(b"transfer-encoding")
    must(len(lengths) + len(codings) <= 1, "two lengths were admitted")
    must(not codings or codings[0].lower() == b"chunked", "another coding was admitted")
    must(not codings or sent.is_1_1, "a coding was admitted in HTTP/1.0")
    must(admitted.is_chunked == bool(codings), "chunked, or not?")
    must(all(re.fullmatch(rb"[0-9]+", each) for each in lengths), "a length that is no number")
    wanted = int(lengths[0]) if lengths else None
    must(admitted.content_length == wanted, "another length was read")
    odd = [name for name, _ in sent.fields if folded(name) in FRAMING]
    must(all(name.lower() == folded(name) for name in odd), "a second spelling of framing")
    must(len(sent.values(b"host")) == 1, "not one Host")
    must(admitted.host_field.encode() == sent.values(b"host")[0], "another Host")
    must(re.fullmatch(r"[a-z0-9_.:-]+", admitted.host), "a host of odd characters")
    must(sent.method not in {b"CONNECT", b"TRACE"}, "a method that is never served")


def _check_client(admitted: Admitted, peer: str) -> None:
    client = admitted.client
    for address in (client.address, *client.chain):
        ip_address(address)
    must(client.chain[-1] == peer, "the last hop is not the peer")
    if peer == _PEER:
        must(client.chain == (peer,) and client.scheme == "http", "a stranger is believed")
        must((client.host, client.request_id) == (None, None), "a stranger is believed")
    must(client.scheme in {"http", "https"}, "an odd scheme")
    must(re.fullmatch(r"[A-Za-z0-9_-]{8,64}", admitted.request_id), "an odd request id")


def _check_token(admitted: Admitted, sent: Sent) -> None:
    """A token is one that was sent where tokens may stand."""
    places = (b"authorization", b"x-session-token", b"cookie")
    told = b"\n".join(value for name in places for value in sent.values(name))
    told = told.replace(b"\t", b" ")  # read so in `Authorization`; such a token is never good
    for cookie in (None, _COOKIE):
        try:
            token = read_token(admitted.found, admitted.bearer, cookie)
        except GatewayError as error:
            must(error.code in {"token_conflict", "session_invalid"}, "another refusal")
            continue
        is_sent = token is None or (token and token.replace("\t", " ").encode() in told)
        must(is_sent, "a token that was not sent")


def _check_head(
    admitted: Admitted, sent: Sent, session: Session | None, prefix: str | None
) -> None:
    """Cut the head for a service strictly; compare it with what was sent."""
    route = Route("/", upstream="main", session="optional", strip_prefix=prefix)
    try:
        head = build_request(admitted, Grant(route, session), _COOKIE, None)
    except GatewayError as error:
        must(prefix is not None and error.code == "target_refused", "another refusal")
        return
    if (admitted.content_length or 0) > _MAX_BODY_BYTES:
        must(cut(head) is None, "a body that has not come is whole")
        return
    found = cut(head + _framed(admitted))
    must(found is not None, "the head is not whole")
    assert found is not None
    seen, size = found
    must(size == len(head) + len(_framed(admitted)), "more than one request")
    must(seen.method == sent.method, "another method arrives")
    path = sent.target.partition(b"?")[0]
    must(seen.target.partition(b"?")[0] in path or path.startswith(b"http"), "another target")
    must(seen.values(b"host") == sent.values(b"host"), "another Host arrives")
    _check_names(seen, sent, session)


def _framed(admitted: Admitted) -> bytes:
    if admitted.is_chunked:
        return b"5\r\n%b\r\n0\r\n\r\n" % _BODY
    return b"x" * (admitted.content_length or 0)


def _check_names(seen: Seen, sent: Sent, session: Session | None) -> None:
    reserved = [field for field in seen.fields if is_reserved(field[0])]
    identity = tuple(field for field in reserved if folded(field[0]) in IDENTITY)
    must(identity == (_IDENTITY if session else ()), "the identity is not the session's")
    others = [name for name, _ in reserved if folded(name) not in IDENTITY]
    must(set(others) <= _OURS and len(others) == len(set(others)), "a reserved name came through")
    hops = {folded(name) for name, _ in seen.fields} & HOP_BY_HOP
    must(hops <= {b"transfer-encoding", b"connection", b"upgrade"}, "a hop-by-hop name went on")
    must(b"connection" not in hops or seen.values(b"upgrade") == [b"websocket"], "Connection")
    must(not any(_TOKEN.search(each) for each in seen.values(b"authorization")), "a token goes on")
    must(not seen.values(b"x-session-token"), "a token goes on")
    for name, value in seen.fields:
        if not is_reserved(name) and folded(name) not in {*FRAMING, b"cookie"}:
            must((name, value) in sent.fields, "a field that was not sent")


_GET = b"GET /api/x HTTP/1.1\r\nHost: gw.test\r\n"
FUZZER = Fuzzer(
    name="heads",
    title="requests' heads: parser, admission, fields, host, client address, the head that goes on",
    modules=(
        *("gateway.admission", "gateway.survey", "gateway.headers", "gateway.host"),
        *("gateway.clients", "gateway.identity", "gateway.proxy.head"),
    ),
    check=check,
    seeds=(
        _GET + b"\r\n",
        _GET + b"Authorization: Bearer gw1.abc\r\nX-OpenId: evil\r\nX_Platform: evil\r\n\r\n",
        _GET + b"Cookie: a=b; gw_session=gw1.abc\r\nX-Session-Token: gw1.abc\r\n\r\n",
        b"POST /x HTTP/1.1\r\nhost: gw.test:80\r\nContent-Length: 5\r\n\r\n12345",
        b"POST /x HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        _GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
        b"~" + _GET + b"X-Forwarded-For: 1.2.3.4, 10.0.0.2\r\nX-Forwarded-Proto: https\r\n"
        b"X-Forwarded-Host: a.example\r\nX-Request-Id: abcdefgh12345678\r\n\r\n",
        b"~GET /?real-ip HTTP/1.1\r\nHost: a\r\nX-Real-IP: ::ffff:1.2.3.4\r\n\r\n",
        b"GET http://gw.test/x HTTP/1.0\r\nHost: GW.test.\r\nExpect: 100-continue\r\n\r\n",
        _GET + b"Connection: close, X-OpenId, Authorization\r\nTE: trailers\r\n\r\n",
        _GET + b"Authorization: Basic " + MARKER.encode() + b"\r\nX-Wx-Openid: evil\r\n\r\n",
    ),
    words=(
        *(b"\r\n", b"\r\n\r\n", b": ", b"HTTP/1.1", b"HTTP/1.0", b"GET ", b"POST ", b"Host: "),
        *(b"Content-Length: ", b"Content_Length: 1", b"Transfer-Encoding: chunked", b"chunked"),
        *(b"Transfer.Encoding: x", b"Connection: ", b"keep-alive", b"close", b"upgrade"),
        *(b"Upgrade: ", b"websocket", b"Expect: 100-continue", b"Authorization: Bearer gw1."),
        *(b"X-Session-Token: ", b"Cookie: gw_session=", b"; ", b", ", b"gw1.a", b"X-OpenId: evil"),
        *(b"X.OpenId", b"X_OpenId", b"X-Forwarded-For: ", b"X-Forwarded-Host: ", b"X-Real-IP: "),
        *(b"X-Request-Id: ", b"Forwarded: for=", b"10.0.0.2", b"127.0.0.1", b"::1", b"[::1]:80"),
        *(b"X-WX-", b"X-Tt-", b"X-Session-", b"X-Gateway-", b"X-Original-URL", b"x-platform"),
        *(b".", b"_", b"~", b"\t", b"\x00", b"\x80", b"http://gw.test", b"gw.test", b"?real-ip"),
    ),
    max_bytes=1024,
)
