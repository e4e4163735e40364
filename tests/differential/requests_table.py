"""Requests that are odd in their method, target, headers or body; each row says why it is here."""

from tests.differential.cases import Case, chunked, chunks, get, sized

KIB = 1024
TEXT = b"The quick brown fox jumps over the lazy dog. " * 40
BINARY = bytes(range(256)) * 8
MIB_OF_BODY = bytes(range(251)) * (KIB * KIB // 251)
ECHO = "/anything?show_env=1"
JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
MULTIPART = b"\r\n".join(
    [
        b"--b0undary",
        b'Content-Disposition: form-data; name="note"',
        b"",
        "图片".encode(),
        b"--b0undary",
        b'Content-Disposition: form-data; name="file"; filename="a.bin"',
        b"Content-Type: application/octet-stream",
        b"",
        bytes(range(256)),
        b"--b0undary--",
        b"",
    ]
)

METHODS = [
    *[
        Case(f"{method} {path}", method, path)  # allowed here, a 405 with `Allow` there
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
        for path in ("/get", "/post", "/anything", "/status/200")
    ],
]

SIZED_BODIES = [
    *[
        sized(f"{method} {name}", method, "/anything", body, JSON)
        for method in ("POST", "PUT", "PATCH", "DELETE")  # a body on each of them is usual
        for name, body in (
            ("empty with a length", b""),
            ("one byte", b"1"),
            ("json", b'{"\xe5\x90\x8d": [1, 2.5, null, "\xe5\x95\x86"]}'),
            ("broken json", b'{"a":'),
        )
    ],
    sized("GET with a body", "GET", "/anything", b"{}", JSON),  # legal, without a meaning
    sized("text", "POST", "/post", TEXT, "Content-Type: text/plain; charset=utf-8"),
    sized("binary", "POST", "/post", BINARY, "Content-Type: application/octet-stream"),
    sized("no content type", "POST", "/post", BINARY),
    sized("a form", "POST", "/post", b"a=1&a=2&b=%E4%BD%A0&c=+x+&=&d", FORM),
    sized("a form with files", "POST", "/post", MULTIPART,
          "Content-Type: multipart/form-data; boundary=b0undary"),
    sized("gzip, unopened", "POST", "/post", b"\x1f\x8b\x08\0no gzip at all",
          "Content-Encoding: gzip"),  # a request body passes as it is
    sized("1 MiB", "POST", "/post", MIB_OF_BODY, "Content-Type: application/octet-stream"),
    sized("1 MiB, PUT", "PUT", "/put", MIB_OF_BODY),
    sized("64 KiB", "POST", "/post", BINARY * 32),  # a read of the event loop
    sized("64 KiB and a byte", "POST", "/post", BINARY * 32 + b"+"),
    Case("a length written 007", "POST", "/status/200", ("Content-Length: 007",), b"licence"),
    Case("POST without any framing", "POST", "/post"),  # no body (RFC 9112 6.3)
]  # fmt: skip

CHUNKED_BODIES = [
    *[
        chunked(f"{method} in chunks of {size}", method, "/anything", chunks(TEXT, size))
        for method in ("POST", "PUT", "PATCH")
        for size in (1, 7, 64, 4096)
    ],
    chunked("no chunk but the last", "POST", "/anything", b"0\r\n\r\n"),
    chunked("odd sizes in turn", "POST", "/anything", chunks(BINARY, 1, 2, 3, 255, 17)),
    chunked("1 MiB in large chunks", "POST", "/anything", chunks(MIB_OF_BODY, 65537, 3)),
    chunked("a size in capitals", "POST", "/anything", b"A\r\n0123456789\r\n0\r\n\r\n"),
    chunked("a size with zeros", "POST", "/anything", b"0000a\r\n0123456789\r\n00\r\n\r\n"),
    chunked("an extension", "POST", "/anything", chunks(TEXT, 50, extension=b";a=b")),
    chunked("an extension in quotes", "POST", "/anything", chunks(TEXT, 90, extension=b';a="b c"')),
    chunked("an extension without a value", "POST", "/anything", chunks(TEXT, 70, extension=b";a")),
    chunked("trailers", "POST", "/anything",
            chunks(TEXT, 80, trailers=b"X-Checksum: 1\r\nX-OpenId: evil\r\n"),
            "Trailer: X-Checksum"),  # dropped, and their announcement too
    chunked("json", "POST", "/anything", chunks(b'{"a": "\xe4\xbd\xa0"}', 9), JSON),
    chunked("a form", "POST", "/anything", chunks(b"a=1&b=2", 2), FORM),
    chunked("a form with files", "POST", "/anything", chunks(MULTIPART, 33),
            "Content-Type: multipart/form-data; boundary=b0undary"),
]  # fmt: skip

HEADERS = [
    get("none but Host", ECHO),
    get("an empty value", ECHO, "X-Empty:"),
    get("only white space", ECHO, "X-Blank: \t "),
    get("no space behind the colon", ECHO, "X-Tight:value"),
    get("white space around", ECHO, "X-Loose: \t value \t "),
    get("white space within", ECHO, "X-Inner: a \t  b"),
    get("repeated", ECHO, "X-Many: 1", "X-Many: 2", "X-Many: 3"),
    get("repeated in other case", ECHO, "X-Many: 1", "x-mANY: 2"),
    get("repeated and empty", ECHO, "X-Many:", "X-Many: 2", "X-Many:"),
    get("odd case", ECHO, "x-LOWER-upper: 1", "ACCEPT: a/b"),
    get("latin-1", ECHO, "X-Name: Ren\xe9e \xfc\xdf"),
    get("all of obs-text", ECHO, "X-High: " + "".join(map(chr, range(0x80, 0x100)))),
    get("UTF-8 as bytes", ECHO, "X-Name: " + "商城".encode().decode("latin-1")),
    get("all of ASCII", ECHO, "X-Ascii: " + "".join(map(chr, range(0x21, 0x7F)))),
    get("every character of a token", ECHO, "x!#$%&'*+.^`|~9: odd"),
    get("an underscore in a name", ECHO, "X_Score: 1"),  # the service may drop it, we do not
    get("a dot in a name", ECHO, "X.Dot: 1"),
    get("7 KiB in one", ECHO, "X-Long: " + "v" * 7 * KIB),
    get("7 KiB in a name", ECHO, "X-" + "n" * 500 + ": 1"),
    get("ninety of them", ECHO, *(f"X-Number-{number}: {number}" for number in range(90))),
    get("a comma list", ECHO, "X-List: a, ,b,, \"c,d\" ,"),
    get("quotes and semicolons", ECHO, 'X-Param: a; b="c\\"d"; e*=UTF-8\'\'%e4'),
    get("a colon in a value", ECHO, "X-Url: http://a:1/b?c:d"),
    get("cookies", ECHO, "Cookie: a=1; b=2; c=3"),
    get("cookies in two lines", ECHO, "Cookie: a=1", "Cookie: b=2"),
    get("a hundred cookies", "/cookies", "Cookie: " + "; ".join(f"c{n}={n}" for n in range(100))),
    get("odd cookies", "/cookies", 'Cookie: a="x y"; b; =c; d==; e=%20; ;f=1,2'),
    get("cookies beyond ASCII", "/cookies", "Cookie: n=\xe4\xbd\xa0; m=caf\xe9"),
    get("Accept of everything", ECHO, "Accept: text/html;q=0.9, */*;q=0.1", "Accept-Charset: *"),
    get("languages", ECHO, "Accept-Language: zh-CN,zh;q=0.9,en;q=0.8"),
    get("encodings", ECHO, "Accept-Encoding: gzip, deflate, br, zstd, identity;q=0"),
    get("a user agent", "/user-agent", "User-Agent: MicroMessenger/8.0 (iPhone; 中)"
        .encode().decode("latin-1")),
    get("no user agent", "/user-agent"),
    get("a referer", ECHO, "Referer: https://servicewechat.com/wxshop/devtools/page-frame.html"),
    get("an origin", ECHO, "Origin: null"),
    get("somebody else's Authorization", ECHO, "Authorization: Basic dTpw"),
    get("a Bearer that is not ours", "/bearer", "Authorization: Bearer abc.def"),
    get("a Bearer in odd case", "/bearer", "authorization: bEARER abc"),
    get("no Bearer", "/bearer"),
    get("hop-by-hop headers", ECHO, "Keep-Alive: timeout=5", "TE: trailers", "Connection: TE"),
    get("cache control", ECHO, "Cache-Control: no-cache", "Pragma: no-cache"),
    get("Max-Forwards", ECHO, "Max-Forwards: 0"),
    get("Via from a proxy before us", ECHO, "Via: 1.1 other"),
    get("X-Requested-With", ECHO, "X-Requested-With: XMLHttpRequest", "DNT: 1", "Sec-GPC: 1"),
    get("a date", ECHO, "Date: Tue, 15 Nov 1994 08:12:31 GMT", "From: a@example.com"),
    Case("Connection names a header", "GET", ECHO, ("Connection: X-Private", "X-Private: 1"),
         dropped=("x-private",)),
    Case("Connection: close", "GET", ECHO, ("Connection: close",)),
    Case("an upgrade nobody can make", "GET", ECHO, ("Upgrade: h2c",)),  # without Connection
]  # fmt: skip

TARGETS = [
    *[
        get(target, target)
        for target in (
            "/anything/a%20b",
            "/anything/%E4%BD%A0%E5%A5%BD",  # UTF-8
            "/anything/%C4%E3",  # GBK, which is no UTF-8
            "/anything/a+b",
            "/anything/a:b@c,d!e$f'(g)*h=i&j",
            "/anything/~tilde-._",
            "/anything/%7Etilde",  # an unreserved character encoded: passes as it came
            "/anything/%61bc",
            "/anything/A%3aB%3A",  # case of hex digits
            "/anything/a%25b",
            "/anything/a%2525b",
            "/anything/a;v=1/b;w",  # allowed by these routes
            "/anything//double",
            "/anything/a%2Fb",
            "/anything/trailing/",
            "/anything/" + "long/" * 1000,
            "/anything/...",  # three dots are a name
            "/anything/.hidden",
            "/anything/a..b",
            "/anything/%22%3C%3E",
            "/ANYTHING",
            "/nowhere",
            "/",
            "/anything?",
            "/anything?a",
            "/anything?a=",
            "/anything?=a",
            "/anything?a=1&a=2&a=",
            "/anything?&&&",
            "/anything?a=b=c",
            "/anything?a?b??c",
            "/anything?u=http://a/b/../c//d",
            "/anything?a=%00%0d%0a",  # plays no part in access, and is the service's
            "/anything?a=%zz&b=%",
            "/anything?a=+%20+",
            "/anything?a=%C4%E3",
            "/anything?a[]=1&b[c]=2",
            "/anything?a={}|^`<>\"'\\",
            "/anything?a=;b",
            "/anything?" + "&".join(f"k{n}=v{n}" for n in range(300)),
            "/anything?gw=1&x-openid=evil",
            "/get?a=1&b=2",
        )
    ],
    Case("absolute-form", "GET", "http://app.example.com/get?a=1"),
]

TABLES = {
    "methods": METHODS,
    "bodies with a length": SIZED_BODIES,
    "bodies in chunks": CHUNKED_BODIES,
    "headers": HEADERS,
    "targets": TARGETS,
}
