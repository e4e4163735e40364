"""Requests for answers that are odd in status, headers or body; each row says why it is here."""

from tests.differential.cases import Case, chunks, get

AGE = "Wed, 21 Oct 2015 07:28:00 GMT"

STATUSES = [
    *[
        Case(f"{method} {status}", method, f"/status/{status}")
        for status in (
            *(200, 201, 202, 203, 204, 205, 206, 226),
            *(300, 301, 302, 303, 304, 305, 307, 308),
            *(400, 401, 402, 403, 404, 405, 406, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418),
            *(421, 422, 425, 426, 428, 429, 431, 451, 499),
            *(500, 501, 502, 503, 504, 505, 507, 511, 599),
        )
        for method in (("GET", "HEAD", "POST") if status in (204, 304, 200, 418, 500) else ("GET",))
    ],
    get("a status that is none", "/status/abc"),
    get("several to choose from", "/status/418,418"),
]

ENCODINGS = [
    *[
        Case(f"{method} {path}", method, path, lines)
        for path in ("/gzip", "/deflate", "/brotli", "/encoding/utf8")  # pass unopened
        for method in ("GET", "HEAD")
        for lines in ((), ("Accept-Encoding: gzip, deflate, br",))
    ],
    *[get(path, path) for path in ("/html", "/json", "/xml", "/robots.txt", "/deny")],
    get("a form", "/forms/post"),
    get("base64", "/base64/SFRUUEJJTg=="),
    get("base64 that is none", "/base64/%25%25"),
    *[
        get(f"image as {accept}", "/image", f"Accept: {accept}")
        for accept in ("image/webp", "image/svg+xml", "image/jpeg", "image/png", "image/*", "a/b")
    ],
    get("image as nothing said", "/image"),
    *[get(path, path) for path in ("/image/png", "/image/jpeg", "/image/webp", "/image/svg")],
]  # fmt: skip

RANGES = [
    *[
        get(f"range {value}", "/range/1024", f"Range: {value}")
        for value in (
            *("bytes=0-", "bytes=0-0", "bytes=0-99", "bytes=100-199", "bytes=-1", "bytes=-500"),
            *("bytes=1023-", "bytes=1024-", "bytes=2000-3000", "bytes=5-2", "bytes=0-1,3-4"),
            *("bytes=", "bytes=a-b", "items=0-1", "BYTES=0-1", "bytes=0-99999", "bytes = 0-1"),
        )
    ],
    get("the whole", "/range/1024"),
    get("in pieces", "/range/26?chunk_size=5"),
    get("slowly", "/range/20?duration=0.05&chunk_size=4"),
    get("none at all", "/range/0"),
    get("too much", "/range/200000"),
    get("If-Range", "/range/100", "Range: bytes=0-9", 'If-Range: "range100"'),
    Case("HEAD of a range", "HEAD", "/range/1024", ("Range: bytes=0-9",)),
]

CONDITIONS = [
    *[
        get(f"etag, {line}", "/etag/abc", line)
        for line in (
            *("If-None-Match: abc", 'If-None-Match: "abc"', 'If-None-Match: W/"abc"'),
            *("If-None-Match: *", 'If-None-Match: "x", "abc"', 'If-None-Match: "x"'),
            *('If-Match: "abc"', "If-Match: abc", 'If-Match: "x"', "If-Match: *", "If-Match:"),
        )
    ],
    get("an etag", "/etag/abc"),
    get("an odd etag", "/etag/%22a%20b%22"),
    get("cache, not modified since", "/cache", f"If-Modified-Since: {AGE}"),
    get("cache, none matches", "/cache", "If-None-Match: x"),
    get("cache for a minute", "/cache/60"),
    get("cache for ever", "/cache/999999999"),
    Case("HEAD with a condition", "HEAD", "/etag/abc", ('If-None-Match: "abc"',)),
]

REDIRECTS = [
    *[
        Case(f"{method} {path}", method, path)
        for path in (
            "/redirect/1",
            "/redirect/3",
            "/redirect/2?absolute=true",
            "/relative-redirect/2",
            "/absolute-redirect/2",
            "/redirect-to?url=/get",
            "/redirect-to?url=http%3A%2F%2Fother.example%2F%3Fa%3D1",
            "/redirect-to?url=//other.example/a",
            "/redirect-to?url=get%23part",
            "/redirect-to?url=%E4%BD%A0",
            "/redirect-to?url=/get&status_code=307",
            "/redirect-to?url=/get&status_code=308",
            "/redirect-to?url=/get&status_code=999",
            "/redirect-to",
            "/links/5/2",
            "/links/3",
        )
        for method in ("GET", "HEAD")
    ],
    Case("POST redirected", "POST", "/redirect-to?url=/post&status_code=303"),
]

COOKIES = [
    get("one set", "/cookies/set/name/value"),
    get("three set", "/cookies/set?a=1&b=2&c=3"),  # as many Set-Cookie, in order
    get("odd values set", "/cookies/set?a=x%20y&b=%22q%22&c=%E4%BD%A0&d=a,b;c"),
    get("deleted", "/cookies/delete?a&b", "Cookie: a=1; b=2"),
    get("shown", "/cookies", "Cookie: a=1"),
    get("none shown", "/cookies"),
    get("repeated headers", "/response-headers?X-A=1&X-A=2&X-A=3&X-B=b"),
    get("Set-Cookie repeated", "/response-headers?Set-Cookie=a%3D1&Set-Cookie=b%3D2%3B%20Path%3D/"),
    get("an empty header", "/response-headers?X-Empty="),
    get("a header in latin-1", "/response-headers?X-Name=Ren%C3%A9e"),
    get("odd case of a header", "/response-headers?x-LOWER-upper=1"),
    get("a long header", f"/response-headers?X-Long={'v' * 6000}"),
    get("forty headers", "/response-headers?" + "&".join(f"X-N{n}={n}" for n in range(40))),
    get("another content type", "/response-headers?Content-Type=text/plain%3B%20charset%3DUTF-8"),
    get("a disposition", "/response-headers?Content-Disposition=inline%3B%20filename%3D%22a%22"),
    get("Vary and Link", "/response-headers?Vary=Accept&Vary=Cookie&Link=%3C/a%3E%3B%20rel%3Dnext"),
    get("Via and Server", "/response-headers?Via=1.1%20behind&X-Powered-By=PHP"),
    get("CORS", "/get", "Origin: https://h5.example.com"),
    Case("a CORS question", "OPTIONS", "/post", (
        "Origin: https://h5.example.com",
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: x-session-token, content-type",
    )),
    Case("POST of headers", "POST", "/response-headers?X-A=1"),
]  # fmt: skip

AUTHENTICATION = [
    get("basic, none given", "/basic-auth/u/p"),
    get("basic, right", "/basic-auth/u/p", "Authorization: Basic dTpw"),
    get("basic, wrong", "/basic-auth/u/p", "Authorization: Basic eDp5"),
    get("basic, broken", "/basic-auth/u/p", "Authorization: Basic ==="),
    get("hidden, none given", "/hidden-basic-auth/u/p"),
    get("hidden, right", "/hidden-basic-auth/u/p", "Authorization: Basic dTpw"),
    get("digest, half given", "/digest-auth/auth/u/p", "Authorization: Digest username=u"),
]

STREAMS = [
    *[
        Case(f"{method} {path}", method, path)
        for path in (
            "/stream/1",
            "/stream/30",
            "/stream/0",
            "/drip?duration=0.05&numbytes=5&code=200",
            "/drip?duration=0&numbytes=1&code=500",
            "/drip?numbytes=0",
            "/stream-bytes/5000?seed=1&chunk_size=100",
            "/stream-bytes/100000?seed=2&chunk_size=10000",
            "/stream-bytes/10?seed=3&chunk_size=1",
            "/stream-bytes/0?seed=4",
        )
        for method in ("GET", "HEAD")
    ],
    get("bytes", "/bytes/1000?seed=5"),
    get("many bytes", "/bytes/102400?seed=6"),
    get("no bytes", "/bytes/0?seed=7"),
    get("more than there are", "/bytes/1000000?seed=8"),  # capped by the service
    get("a short delay", "/delay/0.05"),
    Case("a delay after a body", "POST", "/delay/0.02", ("Content-Length: 4",), b"body"),
]

VERSIONS = [
    *[
        Case(f"HTTP/1.0 {method} {path} {keeps}", method, path, lines, version="1.0")
        for method, path in (
            ("GET", "/get"),
            ("HEAD", "/get"),
            ("GET", "/stream/5"),  # no chunks for an old client
            ("GET", "/status/204"),
            ("GET", "/status/304"),
            ("GET", "/range/100"),
            ("GET", "/redirect/1"),
            ("POST", "/post"),
        )
        for keeps, lines in (
            ("alone", ()),
            ("keeps alive", ("Connection: keep-alive",)),
            ("closes", ("Connection: close",)),
        )
    ],
    Case("HTTP/1.0 with a body", "POST", "/post", ("Content-Length: 5",), b"a=1&b", version="1.0"),
    Case("HTTP/1.1 that closes", "GET", "/stream/5", ("Connection: close",)),
    Case("HTTP/1.1 says keep-alive", "GET", "/get", ("Connection: keep-alive",)),
]

CONTINUES = [
    Case(f"{method} {len(body)} bytes", method, "/anything",
         ("Expect: 100-continue", f"Content-Length: {len(body)}"), body, waits=True)
    for method in ("POST", "PUT", "PATCH")
    for body in (b"x", b"a=1" * 50, bytes(70000))
] + [
    Case("in odd case", "POST", "/status/201", ("Expect: 100-CONTINUE", "Content-Length: 1"), b"x",
         waits=True),
    Case("in chunks", "POST", "/anything", ("Expect: 100-continue", "Transfer-Encoding: chunked"),
         chunks(b"body" * 9, 5), waits=True),
]  # fmt: skip

TABLES = {
    "statuses": STATUSES,
    "encodings": ENCODINGS,
    "ranges": RANGES,
    "conditions": CONDITIONS,
    "redirects": REDIRECTS,
    "cookies": COOKIES,
    "authentication": AUTHENTICATION,
    "streams": STREAMS,
    "versions": VERSIONS,
    "continues": CONTINUES,
}
