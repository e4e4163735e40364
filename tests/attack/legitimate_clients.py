"""Requests as the clients of the platforms write them: heads, uploads, forms.

Referers of WeChat and Douyin and Douyin's User-Agent are as their pages document them, WeChat's
User-Agents as public code has seen them; those of Baidu and Kuaishou are shaped after them, which
is a guess. How network stacks shape a boundary is documented nowhere; here are those of the stacks
that the platforms are built on.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from tests.attack.model import Case, Pause, request
from tests.attack.passing import passing

_POST = b"POST @ROUTE@/upload HTTP/1.1"
_WX_ANDROID = (
    b"charset: utf-8",
    (
        b"User-Agent: Mozilla/5.0 (Linux; Android 13; M2012K11AC Build/TKQ1.220829.002; wv) "
        b"AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/116.0.0.0 Mobile Safari/537.36 "
        b"XWEB/1160117 MMWEBSDK/20240404 MMWEBID/4568 MicroMessenger/8.0.49.2600(0x28003133) "
        b"WeChat/arm64 Weixin NetType/4G Language/zh_CN ABI/arm64 MiniProgramEnv/android"
    ),
    b"Accept-Encoding: gzip,compress,br,deflate",
    b"Connection: keep-alive",
    b"Referer: https://servicewechat.com/wxattackshop/34/page-frame.html",
)
_WX_IPHONE = (
    b"Accept: */*",
    b"Accept-Language: zh-CN,zh-Hans;q=0.9",
    b"Accept-Encoding: gzip,compress,br,deflate",
    (
        b"User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) "
        b"AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.50(0x18003231) "
        b"NetType/WIFI Language/zh_CN"
    ),
    b"Referer: https://servicewechat.com/wxattackshop/0/page-frame.html",
    b"Connection: keep-alive",
)
_WX_PC = (
    b"Connection: keep-alive",
    b"xweb_xhr: 1",
    (
        b"User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 "
        b"(KHTML, like Gecko) Chrome/122.0.0.0 Safari/537.36 "
        b"MicroMessenger/7.0.20.1781(0x6700143B) NetType/WIFI MiniProgramEnv/Windows "
        b"WindowsWechat/WMPF WindowsWechat(0x63090a13) XWEB/9129"
    ),
    b"Accept: */*",
    b"Sec-Fetch-Site: cross-site",
    b"Sec-Fetch-Mode: cors",
    b"Sec-Fetch-Dest: empty",
    b"Referer: https://servicewechat.com/wxattackshop/devtools/page-frame.html",
    b"Accept-Encoding: gzip, deflate, br",
    b"Accept-Language: zh-CN,zh;q=0.9",
)
_TT_ANDROID = (
    b"accept-encoding: gzip, deflate, br",
    (
        b"user-agent: Mozilla/5.0 (Linux; Android 12; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
        b"Version/4.0 Chrome/110.0.5481.154 Mobile Safari/537.36 aweme.lite/29.3.0 "
        b"ToutiaoMicroApp/3.17.0 PluginVersion/29307076"
    ),
    b"referer: https://tmaservice.developer.toutiao.com?appid=ttattackshop&version=1.0.12",
    b"cookie: sid_guard=abc%7C1700000000; passport=1",
)
_TT_IPHONE = (
    (
        b"User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 16_0 like Mac OS X) AppleWebKit/605.1.15 "
        b"(KHTML, like Gecko) Mobile/15E148 aweme_29.4.0 JsSdk/2.0 NetType/WIFI Channel/App Store "
        b"ByteLocale/zh Region/CN Aweme/29.4.0 ToutiaoMicroApp/3.17.0 webview/293"
    ),
    b"Referer: https://tmaservice.developer.toutiao.com/?appid=ttattackshop&version=1.0.12",
    b"Accept: */*",
)
_SWAN = (
    (
        b"User-Agent: Mozilla/5.0 (Linux; Android 11; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
        b"Version/4.0 Chrome/76.0.3809.89 Mobile Safari/537.36 "
        b"baiduboxapp/13.30.0.10 (Baidu; P1 11) swan/2.580.0 swan-baiduboxapp/13.30.0.10"
    ),
    b"Referer: https://smartapps.cn/attackshop/1.0.2/page-frame.html",
)
_KS = (
    (
        b"User-Agent: Mozilla/5.0 (Linux; Android 12; wv) AppleWebKit/537.36 Version/4.0 "
        b"Chrome/90.0.4430.226 KsWebView/1.8.90 Mobile Safari/537.36 Yoda/2.9 Kwai/11.2.10 "
        b"MiniProgram MINA/1.61.0"
    ),
    b"Referer: https://miniprogram.kuaishou.com/ksattackshop/1/page-frame.html",
)
CLIENTS = {
    "WeChat on Android": _WX_ANDROID,
    "WeChat on iPhone": _WX_IPHONE,
    "WeChat on a PC": _WX_PC,
    "Douyin on Android": _TT_ANDROID,
    "Douyin on iPhone": _TT_IPHONE,
    "Baidu": _SWAN,
    "Kuaishou": _KS,
}
_BOUNDARIES = {
    "WebKit": b"----WebKitFormBoundary7MA4YWxkTrZu0gW",
    "AFNetworking": b"Boundary+0123456789ABCDEF",
    "UUID": b"2a8ae6ad-f4ad-4d9a-a92c-6d217011fe0f",
    "curl": b"------------------------d74496d66958873e",
    "odd characters": b"=_a'b(c)+d,e./:f?g",
    "a number": b"1700000000000",
}
_IMAGE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8 + b"\r\n--not-the-end\r\n\r\n"


def _form(boundary: bytes, filename: bytes, image: bytes = _IMAGE) -> bytes:
    """A file and two fields; text in UTF-8, as both uploadFile calls write `formData`."""
    return (
        b'--%b\r\nContent-Disposition: form-data; name="user"\r\n\r\n\xe5\xbc\xa0\xe4\xb8\x89\r\n'
        b'--%b\r\nContent-Disposition: form-data; name="file"; filename="%b"\r\n'
        b"Content-Type: image/png\r\n\r\n%b\r\n"
        b'--%b\r\nContent-Disposition: form-data; name="a b"\r\n'
        b"Content-Type: text/plain;charset=UTF-8\r\n\r\n1\r\n--%b--\r\n"
    ) % (boundary, boundary, filename, image, boundary, boundary)


def _upload(title: str, lines: tuple[bytes, ...], boundary: bytes, form: bytes) -> Case:
    kind = b"multipart/form-data; boundary="
    quoted = b'"%b"' % boundary if b" " in boundary or b"(" in boundary else boundary
    length = b"Content-Length: %d" % len(form)
    return passing(
        title, request(*lines, b"Content-Type: " + kind + quoted, length, line=_POST, body=form)
    )


def _chunked(title: str, lines: tuple[bytes, ...], form: bytes, size_bytes: int) -> Case:
    pieces = [form[at : at + size_bytes] for at in range(0, len(form), size_bytes)]
    body = b"".join(b"%X\r\n%b\r\n" % (len(each), each) for each in pieces) + b"0\r\n\r\n"
    kind = b"content-type: multipart/form-data; boundary=abc"
    coding = b"Transfer-Encoding: chunked"
    return passing(title, request(*lines, kind, coding, line=_POST, body=body), body=form)


_FILE_NAMES = (
    b"tmp_0123456789abcdef.png",
    b"wxfile://tmp_0123456789abcdef.jpg",
    b"http://tmp/abcdefg.o6zAJs.png",
    b"ttfile://temp/1700000000.png",
    b"bdfile://tmp_abc.jpg",
    "\u56fe\u7247 (1).png".encode(),
    "\u56fe\u7247.png".encode("gbk"),
    b"a%22b%0D%0Ac.png",
    b"../../x.png",
    b"",
)


def _uploads() -> Iterator[Case]:
    for name, lines in CLIENTS.items():
        form = _form(b"----WebKitFormBoundaryAbC", b"tmp_0123456789abcdef.png")
        yield _upload(f"an upload by {name}", lines, b"----WebKitFormBoundaryAbC", form)
    for name, boundary in _BOUNDARIES.items():
        form = _form(boundary, b"a.png")
        yield _upload(f"an upload, boundary: {name}", _WX_ANDROID, boundary, form)
    for file_name in _FILE_NAMES:
        shown = ascii(file_name.decode("latin-1"))[1:-1]
        form = _form(b"abc", file_name)
        yield _upload(f"an upload of {shown or 'no name'}", _TT_ANDROID, b"abc", form)
    large = _form(b"abc", b"a.mp4", _IMAGE * 100)
    yield _upload("a large upload", _WX_IPHONE, b"abc", large)
    yield _upload("an upload of an empty file", _WX_IPHONE, b"abc", _form(b"abc", b"a", b""))
    for size_bytes in (1, 7, 1024, 65536):
        form = _form(b"abc", b"a.png") if size_bytes < 1024 else large
        yield _chunked(f"an upload in chunks of {size_bytes}", _WX_ANDROID, form, size_bytes)


def _in_pieces() -> Iterator[Case]:
    """As they come over a slow network: cut anywhere, in the head and in a boundary."""
    form = _form(b"----WebKitFormBoundaryAbC", b"tmp_0123456789abcdef.png")
    whole = _upload("an upload", _WX_ANDROID, b"----WebKitFormBoundaryAbC", form)
    data = whole.data
    head = data.index(b"\r\n\r\n") + 4
    for title, places in (
        ("head and body", (head,)),
        ("the request line cut", (5, head)),
        ("a field cut", (data.index(b"Referer") + 3, head - 1)),
        ("the body in four", (head, head + 100, head + 1000, len(data) - 5)),
    ):
        cuts = (0, *places, len(data))
        pieces = [data[start:end] for start, end in pairwise(cuts)]
        steps = tuple(step for piece in pieces for step in (piece, Pause(0.01)))
        yield replace(whole, title=f"an upload in pieces: {title}", send=steps)


_JSON = '{"name":"\u5f20\u4e09","emoji":"\U0001f600","n":1.0,"n":1}'.encode()
_FORM = b"a=1&b=%E4%BD%A0&c=+&d%5B%5D=2"


def _calls() -> Iterator[Case]:
    """`wx.request` and its like: a GET with data in the query, a POST of JSON, a form."""
    for name, lines in CLIENTS.items():
        get = request(*lines, b"content-type: application/json", line=_get(b"?page=1&size=20"))
        yield passing(f"a GET by {name}", get)
        for kind, body in (
            (b"application/json", _JSON),
            (b"application/x-www-form-urlencoded;", _FORM),
        ):
            fields = (b"content-type: " + kind, b"Content-Length: %d" % len(body))
            post = request(*lines, *fields, line=b"POST @ROUTE@/x HTTP/1.1", body=body)
            yield passing(f"a POST of {kind.decode()} by {name}", post)
    for range_ in (b"bytes=0-", b"bytes=0-1023", b"bytes=-500", b"bytes=0-0,-1"):
        lines = (*_WX_ANDROID, b"Range: " + range_, b'If-Range: "abc"')
        yield passing(f"a download of {range_.decode()}", request(*lines, line=_get()))


def _get(query: bytes = b"") -> bytes:
    return b"GET @ROUTE@/x%b HTTP/1.1" % query


def cases() -> Iterator[Case]:
    """List them."""
    yield from _uploads()
    yield from _in_pieces()
    yield from _calls()
