"""Odd but honest targets: what clients and their libraries really write in paths and queries."""

from collections.abc import Iterator

from tests.attack.model import Case, request
from tests.attack.passing import passing

# RFC 3986 3.3 lets these stand in a segment; each is a name or a value to some service.
_SEGMENT = b"+ , : @ ~ ! $ & ' ( ) * = - _ . a+b,c:d@e~f!g$h&i'j(k)l*m=n-o_p.q".split()
_ESCAPES = (
    b"%20 %25 %2B %2C %3A %40 %26 %3D %24 %21 %27 %28 %29 %2A %7E %2D %5F %2E%61 %22 %3C %3E %5B"
    b" %5D %5E %60 %7B %7C %7D %23 %3F %3B %2525 %E2%80%8B %F0%9F%98%80 %FF"
).split()
_PATHS = (
    # Chinese as UTF-8 and as GBK, in both cases of hex digits, GBK's ASCII second bytes too.
    b"/%E8%AE%A2%E5%8D%95/%E4%BD%A0%E5%A5%BD",
    b"/%e8%ae%a2%e5%8d%95/%e4%bd%a0%E5%A5%bd",
    b"/%B6%A9%B5%A5/%C4%E3%BA%C3",
    b"/%b6%a9%b5%a5/%c4%e3%ba%c3.html",
    b"/%81%40%81%60%FE%A0",
    b"/%CE%D2%B5%C4/%E6%88%91%E7%9A%84",
    b"/%A4%A4%A4%E5",
    b"/%E6%96%87%E4%BB%B6%20(1).docx",
    b"/%E4%BB%B7%E6%A0%BC+%E6%95%B0%E9%87%8F",
    b"/\xe5".replace(b"\xe5", b"%E5%90%8D=%E5%80%BC"),
    # Names that look like something else.
    b"/.well-known/apple-app-site-association",
    b"/.hidden",
    b"/...",
    b"/..a",
    b"/a..b",
    b"/a.",
    b"/file.tar.gz",
    b"/WW_verify_AbCdEf123456.txt",
    b"/users/@me",
    b"/users/a@example.com",
    b"/v1/things:batchGet",
    b"/12:30:00",
    b"/2024-01-01T00:00:00+08:00",
    b"/1.0,2.0,3.0",
    b"/(a)/(b)",
    b"/items/$value",
    b"/Products('a')",
    b"/~user/",
    b"/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p",
    b"/x/",
    b"/" + b"a" * 2000,
    b"/eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.c2ln",
    b"/YWJj+Lw=",
    b"/100%25",
    b"/C%23",
    b"/what%3F",
    b"/%7B%22a%22%3A1%7D",
    # What RFC 3986 wants escaped and old clients send as it is.
    b"/{id}",
    b"/[1]",
    b"/a|b",
    b'/"quoted"',
    b"/a^b`c<d>",
)
_ALL_QUERY = bytes(code for code in range(0x21, 0x7F) if code != ord("#"))
_QUERIES = (
    b"",
    b"a=b",
    b"a",
    b"=",
    b"&",
    b"&&a=1&&b=2&",
    b"a=",
    b"=b",
    b"a=1&a=2&a=3",
    b"a==b",
    b"a=b=c",
    b"a=b?c=d",
    b"?",
    b"?a=b",
    b"a=b;c=d",
    b"a+b=c+d",
    b"a%20b=c%20d",
    b"a=%2B%26%3D%23%25",
    b"a=%",
    b"a=100%",
    b"a=%zz",
    b"a=%u4F60",
    b"a=%00",
    b"a=%0D%0A",
    b"a=%FF%FE",
    b"q=%E4%BD%A0%E5%A5%BD",
    b"q=%c4%e3%ba%c3",
    b"q=%D5%5C",
    b"ids[]=1&ids[]=2",
    b"ids%5B%5D=1&ids%5B%5D=2",
    b"ids[0]=1&ids[1][a]=2",
    b"filter[name]=x&sort=-a,+b",
    b"ids=1|2|3",
    b"ids=1,2,3",
    b"location=31.2304,121.4737|23.1291,113.2644",
    b'q={"a":[1,2],"b":"c"}',
    b"q=%7B%22a%22%3A1%7D",
    b"$filter=a%20eq%20'b'&$top=1",
    b"url=https://example.com/a/../b?c=d&e=/public/",
    b"url=https%3A%2F%2Fexample.com%2Fa%3Fb%3Dc%23d",
    b"path=/admin/../../etc/passwd",
    b"path=..\\..\\x",
    b"scene=a%3D1%26b%3D2",
    b"sign=a+b/c==&ts=1700000000000",
    b"a=<b>&c=\"d\"&e='f'&g=`h`&i=^j&k=~l",
    b"a=//b//c",
    b"a=b:c@d",
    b"_=1700000000000",
    b"X-OpenId=someone&token=gw2.abc",
    b"gw_tickets=1&xgw_ticket=2&GW_TICKET=3",
    b"timestamp=1&nonce=a&echostr=b&signature=c",
    _ALL_QUERY,
    b"q=" + b"%E4%BD%A0" * 200,
    b"q=" + b"x" * (8192 - len(b"/public/x?q=")),
    b"a=1&" * 1500,
)
_ALLOWED = (
    # `baseURL//x`, encoded slashes and parameters, on the routes whose `allow` names them.
    b"/ds//x",
    b"/ds//api//v1//x?a//b",
    b"/ds/a/b//",
    b"/ds//%E4%BD%A0%E5%A5%BD",
    b"/es/a%2Fb",
    b"/es/a%2fb%2fc.png",
    b"/es/https%3A%2F%2Fexample.com%2Fa.png",
    b"/es/group%2Fproject/issues",
    b"/sc/a;v=1/b;w=2",
    b"/sc/x;jsessionid=0123456789ABCDEF",
    b"/sc/a;b;c?d;e",
    b"/all//a%2Fb;c=d//e",
    b"/",
    b"/?a=b",
    b"/anything/at/all",
)


def cases() -> Iterator[Case]:
    """List them."""
    for part in (*_SEGMENT, *_ESCAPES):
        if part == b".":
            continue  # alone it is a dot segment
        for path in (b"/%b" % part, b"/a%bb/c" % part):
            yield _of(b"@ROUTE@" + path)
    for path in _PATHS:
        yield _of(b"@ROUTE@" + path)
    for query in _QUERIES:
        yield _of(b"@ROUTE@/x?" + query)
    for target in _ALLOWED:
        yield _of(target, "paths")


def _of(target: bytes, stage: str = "usual") -> Case:
    title = target.decode("ascii").removeprefix("@ROUTE@")
    return passing(title, request(line=b"GET %b HTTP/1.1" % target), stage=stage)
