"""Odd but honest messages: fields, bodies, methods and versions that some client really sends."""

import gzip
from collections.abc import Iterator

from tests.attack.model import Case, Reply, request
from tests.attack.passing import passing

_GET = b"GET @ROUTE@/x HTTP/1.1"
_POST = b"POST @ROUTE@/x HTTP/1.1"
_NAME = "\u5f20\u4e09"
_FIELDS = (
    # Bytes of 0x80 and above in values: UTF-8, GBK, Latin-1, and what is none of them.
    b"X-Name: " + _NAME.encode(),
    b"X-Name: " + _NAME.encode("gbk"),
    b"X-Name: caf\xe9",
    b"X-Name: \x80\xff\xfe",
    b'Content-Disposition: attachment; filename="' + _NAME.encode() + b'.txt"',
    # Values with everything that may stand in one.
    b"X-Any: !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    b"X-Tab: a\tb",
    b"X-Spaces: a  b   c",
    b"X-Empty:",
    b"X-No-Space:value",
    b"X-Wide: \t  value \t ",
    b"X-Json: " + b'{"a": "b", "c": [1, 2]}',
    b"X-Long: " + b"x" * 8000,
    b"User-Agent: " + b"Mozilla/5.0 (Linux; U) " * 90,
    # Names that are nobody's but the service's.
    b"token: abc",
    b"satoken: abc",
    b"login_code: 081",
    b"user_token: abc",
    b"x.custom: a",
    b"X_Custom: a",
    b"X!#$%&'*+^`|~: a",
    b"x-client-env: develop; wxattackshop; 1.2.3",
    b"X-Requested-With: XMLHttpRequest",
    b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    b"sw8: 1-MQ==-Mg==-3-bWVzaA==-aW5zdA==-L2E=-bG9jYWw=",
    b"Origin: https://servicewechat.com",
    b"Priority: u=1, i",
    b"DNT: 1",
    b'Sec-CH-UA: "Chromium";v="122", "Not(A:Brand";v="24"',
    b"Date: Tue, 15 Nov 1994 08:12:31 GMT",
    b"Max-Forwards: 10",
    b"Via: 1.1 proxy.example",
    b"Pragma: no-cache",
    b"Cache-Control: max-age=0, no-cache",
    b'If-None-Match: "abc", W/"def"',
    b"If-None-Match: *",
    b'If-Match: "a"',
    b"If-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT",
    b"Accept: text/html, application/xhtml+xml;q=0.9, */*;q=0.8",
    b"Accept-Charset: gbk, utf-8;q=0.7",
    b"Accept-Encoding: identity;q=0",
    b"Accept-Language: zh-CN",
    # Credentials of the service's own.
    b'Cookie: a=b; session=c; d="e f"; \xe4\xbd\xa0=1',
    b"Cookie: " + b"; ".join(b"c%d=v" % number for number in range(300)),
    b"Cookie:",
    b"Cookie: =; ;;a",
    b"X-Auth-Token: abc.def",
    b"X-Api-Key: 0123456789",
)
_CREDENTIALS = (b"Basic dTpw", b"Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln", b"Digest a=b", b"", b"abc")


def _fields() -> Iterator[Case]:
    for field in _FIELDS:
        text = ascii(field.decode("latin-1"))[1:-1]
        title = f"{text[:60]} ({len(field)})"
        yield passing(title, request(field, line=_GET))
    for value in _CREDENTIALS:
        lines = (b"Authorization: " + value, b"X-Session-Token: @A@")
        yield passing(
            f"the service's own Authorization: {value.decode() or 'empty'}",
            request(*lines, line=b"GET /public/x HTTP/1.1", session=False),
        )
    many = tuple(b"X-Field-%d: %d" % (number, number) for number in range(120))
    yield passing("120 fields", request(*many, line=_GET))
    same = (b"X-Same: a", b"x-same: b", b"X-SAME: a", b"Cookie: a=1", b"Cookie: b=2")
    yield passing("a name five times", request(*same, line=_GET))
    big = tuple(b"X-Big-%d: %b" % (number, b"x" * 7000) for number in range(4))
    yield passing("28 kB of fields", request(*big, line=_GET))


_ALL_BYTES = bytes(range(256))
_BODIES: tuple[tuple[str, bytes, bytes], ...] = (
    ("JSON in UTF-8", b"application/json; charset=utf-8", f'{{"a":"{_NAME}"}}'.encode()),
    ("JSON in GBK", b"application/json;charset=GBK", f'{{"a":"{_NAME}"}}'.encode("gbk")),
    ("a form in GBK", b"application/x-www-form-urlencoded; charset=gbk", b"a=%C4%E3&b=\xc4\xe3"),
    ("XML in GB2312", b"text/xml;charset=gb2312", f"<a>{_NAME}</a>".encode("gb2312")),
    ("all bytes", b"application/octet-stream", _ALL_BYTES * 4),
    ("what looks like a request", b"text/plain", b"GET /evil HTTP/1.1\r\nHost: gw.test\r\n\r\n"),
    ("what looks like the last chunk", b"text/plain", b"0\r\n\r\nPOST / HTTP/1.1\r\n\r\n"),
    ("empty lines", b"text/plain", b"\r\n\r\n\r\n\n\n"),
    ("gzip", b"application/json", gzip.compress(b'{"a":1}', mtime=0)),
    ("a BOM", b"application/json", b"\xef\xbb\xbf{}"),
    ("UTF-16", b"text/plain; charset=utf-16", _NAME.encode("utf-16")),
    ("protobuf", b"application/x-protobuf", b"\x08\x96\x01\x12\x07testing"),
    ("an odd type", b'application/vnd.api+json;ext="https://a.b/c"', b"{}"),
    ("no known type", b"x", b"a"),
    ("an empty type", b"", b"a"),
    ("one byte", b"text/plain", b"\x00"),
    ("70 kB", b"application/octet-stream", b"\r\n" * 35_000),
    ("1 MB", b"application/octet-stream", _ALL_BYTES * 4096),
    ("nothing", b"application/json", b""),
)


def _bodies() -> Iterator[Case]:
    for title, kind, body in _BODIES:
        lines = [b"Content-Type: " + kind, b"Content-Length: %d" % len(body)]
        if title == "gzip":
            lines.append(b"Content-Encoding: gzip")
        send = request(*lines, line=_POST, body=body)
        yield passing(f"a body of {title}", send)
        chunked = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        lines[1] = b"Transfer-Encoding: chunked"
        send = request(*lines, line=_POST, body=chunked + b"0\r\n\r\n")
        yield passing(f"a body of {title}, chunked", send, body=body)
    extended = b"00002;a=b\r\nab\r\n01 \r\nc\r\n".replace(b"01 ", b"01") + b"000\r\n\r\n"
    send = request(b"Transfer-Encoding: chunked", line=_POST, body=extended)
    yield passing("chunks with zeros in front and an extension", send, body=b"abc")
    expecting = (b"Expect: 100-continue", b"Content-Length: 3")
    yield passing("a body that was not waited for", request(*expecting, line=_POST, body=b"abc"))


def _methods() -> Iterator[Case]:
    for method in b"OPTIONS PATCH DELETE PUT HEAD POST GET".split():
        line = b"%b @ROUTE@/x HTTP/1.1" % method
        yield passing(f"{method.decode()} without a body", request(line=line))
        nothing = b"Content-Length: 0"
        yield passing(f"{method.decode()} of no length", request(nothing, line=line))
        if method != b"HEAD":
            send = request(b"Content-Length: 3", line=line, body=b"abc")
            yield passing(f"{method.decode()} with a body", send)
    preflight = (
        b"Origin: https://shop.example",
        b"Access-Control-Request-Method: PUT",
        b"Access-Control-Request-Headers: content-type,x-custom",
    )
    yield passing("a preflight", request(*preflight, line=b"OPTIONS /public/x HTTP/1.1"))


def _versions() -> Iterator[Case]:
    old = b"@ROUTE@/x HTTP/1.0"
    yield passing("HTTP/1.0", request(line=b"GET " + old))
    yield passing("HTTP/1.0, HEAD", request(line=b"HEAD " + old))
    body = request(b"Content-Length: 3", line=b"POST " + old, body=b"abc")
    yield passing("HTTP/1.0 with a body", body)
    yield passing("Connection: close", request(b"Connection: close", line=_GET))
    for value in (b"keep-alive", b"Keep-Alive", b"keep-alive, Te"):
        lines = (b"Connection: " + value, b"Keep-Alive: timeout=5, max=100", b"TE: trailers")
        yield passing(f"Connection: {value.decode()}", request(*lines, line=_GET))
    yield passing("an empty line before it", b"\r\n" + request(line=_GET))
    for name in (b"HOST", b"host", b"hOsT"):
        yield passing(f"{name.decode()} for Host", request(line=_GET, host=name + b": @HOST@"))


def _answers() -> Iterator[Case]:
    """The same bytes come back, whatever a service answers."""
    for status, extra in ((206, b"Content-Range: bytes 0-1/9\r\n"), (418, b""), (503, b"")):
        head = b"HTTP/1.1 %d Any Thing\r\n%bContent-Length: 2\r\n\r\nok" % (status, extra)
        yield passing(
            f"a service's own {status}", request(line=_GET), replies=[Reply(head)], status=status
        )


def cases() -> Iterator[Case]:
    """List them."""
    yield from _fields()
    yield from _bodies()
    yield from _methods()
    yield from _versions()
    yield from _answers()
