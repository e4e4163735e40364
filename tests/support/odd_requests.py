"""Generates requests, plain and odd, for properties about what the gateway makes of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from hypothesis import strategies as st

BODY_LIMIT_BYTES = 1024
"""What the gateway that gets these requests takes as a body at most."""

# Requests are well-formed HTTP/1.1 as aiohttp's parser takes it. What it refuses by itself never
# reaches us, so `explain` cannot know it: spaces, controls and bytes above 0x7e in the target,
# names that are no tokens, methods it does not know, CONNECT's own form of target, two Hosts,
# `GET *`, Content-Length beside a Transfer-Encoding, and the second of what may stand once only
# (RFC 9110 5.3), of which these are used here:
SINGLE = ("content-type:",)

METHODS = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "PROPFIND",
    "FOO",
    "TRACK",
]
LONG_QUERY = "?" + "q" * 9000
GOOD_PATHS = [
    "/api/orders/1",
    "/api",
    "/orders/1",
    "/guest/1",
    "/opt/1",
    "/public/1",
    "/public/%E4%BD%A0",
    "/wechat/1",
    "/shop/1",
    "/get/1",
    "/tick/1",
    "/odd/a//b",
    "/odd/a;b=1/c",
    "/odd/a%2fb",
    "/only/host",
    "/hello.txt",
    "/session",
    "/login",
    "/logout",
]
PATHS = [
    *GOOD_PATHS,
    "/api/",
    "/apix",
    "/%61pi/x",
    "/api%2Fx",
    "/API/x",
    "/orders",
    "/odd//../x",
    "/nothing",
    "/",
    "/login/",
    "/api/v1/registers/wechat_program/wxshop",
    "/api/v1/registers/x",
    "/healthz",
    "/public/..",
    "/public/../api/x",
    "/public/%2e%2e/api/x",
    "/public/.%2E/x",
    "/public/%5c",
    "/public\\x",
    "/public/%00",
    "/public/%zz",
    "/public/%c4%e3",
    "/public//x",
    "/public/;x",
    "//gw/public/1",
    "http://gw/public/1",
    "http://GW:80/public/1?x",
    "http://evil/public/1",
    "http://gw",
    "https://gw/api/x",
]
SEGMENT = st.text("abAB01._~!$&'()*+,;=:@%/-", max_size=8)
TARGETS = st.one_of(
    st.sampled_from(PATHS),
    st.sampled_from(PATHS),
    st.builds("{}{}".format, st.sampled_from(PATHS), SEGMENT),
    st.builds("/{}".format, SEGMENT),
)
QUERIES = st.sampled_from(
    [
        "",
        "",
        "",
        "?",
        "?a=b",
        "?x=/public/",
        "?a=%zz&b=%2f",
        "?gw_ticket=x",
        "?gw_ticket=gwt1.AAAAAAAAAAAAAAAAAAAAAAAA&a=%zz",
        "?a=b&gw%5Fticket=x&gw_ticket=x",
        "?gw_ticket",
        "?a?b;c",
        "?" + "q" * 9000,
    ]
)
HOSTS = ["gw", "GW:80", "gw.", "api.example.com", "API.example.com:8080", "[::1]:80", "127.0.0.1"]
ODD_HOSTS = ["", "u@gw", "gw:99999", "gw:0", "g/w", "a..b", "[::1", "gw,gw", "%67w", "gw:80:80"]
TOKENS = ["none", "none", "user", "user", "other", "douyin", "guest", "ended", "forged", "short"]
CARRIERS = ["Authorization: Bearer {}", "authorization: bearer {}", "X-Session-Token: {}"]
FIELDS = [
    "X-OpenId: evil",
    "x_openid: evil",
    "X.OpenId: evil",
    "X~Platform: evil",
    "X-PLATFORM: douyin",
    "X-Session-Id: evil",
    "X-WX-OPENID: evil",
    "X-Forwarded-For: 1.2.3.4, 5.6.7.8",
    "X-Forwarded-For: rubbish",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil",
    "X-Forwarded-Prefix: /evil",
    "Forwarded: for=1.2.3.4",
    "X-Real-IP: 1.2.3.4",
    "X-Request-Id: mine-0123456789",
    "X-Request-Id: a b",
    "X-Original-URI: /admin",
    "X-HTTP-Method-Override: DELETE",
    "Connection: close",
    "Connection: keep-alive, X-OpenId",
    "Connection: x-custom, authorization, host",
    "Connection: upgrade",
    "Connection: Upgrade, X-Custom",
    "Upgrade: websocket",
    "Upgrade: h2c",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: keep-alive",
    "Proxy-Authorization: Basic eA==",
    "TE: trailers",
    "Trailer: X-OpenId",
    "Expect: 100-continue",
    "Expect: 200-ok",
    "Transfer_Encoding: chunked",
    "Content_Length: 5",
    "X-Custom: value",
    "x-custom: second",
    "X-Empty:",
    "X-Bytes: \xe4\xbd\xa0\xff",
    "Cookie: a=b; session=c",
    "Accept: */*",
    "Content-Type: application/json",
    "Authorization: Basic dTpw",
    "Authorization: Bearer eyJ",
    "X-Session-Token: gw1.other",
]
REFUSED = {
    "Upgrade: websocket",
    "Upgrade: h2c",
    "Expect: 200-ok",
    "Transfer_Encoding: chunked",
    "Content_Length: 5",
    "X-Session-Token: gw1.other",
}
"""Fields that are refused on most requests."""


@dataclass(frozen=True, slots=True)
class Example:
    """One request, with names where tokens will stand."""

    method: str
    target: str
    host: str
    fields: tuple[str, ...]
    token: str
    carriers: tuple[str, ...]
    body: bytes | None

    def lines(self, tokens: Mapping[str, str]) -> list[str]:
        """The header lines in order."""
        carried = [each.format(tokens[self.token]) for each in self.carriers]
        length = [] if self.body is None else [f"Content-Length: {len(self.body)}"]
        given = carried if self.token != "none" else []
        return [f"Host: {self.host}", *self.fields, *given, *length]


def fields_of(lines: list[str], most: int) -> st.SearchStrategy[tuple[str, ...]]:
    """Some header lines in any order, what may stand once only once."""

    def is_single(line: str) -> object:
        return line if line.lower().startswith(SINGLE) else object()

    return st.lists(st.sampled_from(lines), max_size=most, unique_by=is_single).map(tuple)


BODIES = st.sampled_from([b"", b"{}", b"x" * BODY_LIMIT_BYTES, b"x" * (BODY_LIMIT_BYTES + 1)])
CARRIED = st.lists(st.sampled_from(CARRIERS), min_size=1, max_size=2).map(tuple)
ODD = st.builds(
    Example,
    method=st.sampled_from(METHODS),
    target=st.builds("{}{}".format, TARGETS, QUERIES),
    host=st.sampled_from(["gw", *HOSTS, *ODD_HOSTS]),
    fields=fields_of(FIELDS, 3),
    token=st.sampled_from(TOKENS),
    carriers=CARRIED,
    body=st.none() | BODIES,
)
"""Mostly refused, for one reason or another."""
USUAL = st.builds(
    Example,
    method=st.sampled_from(["GET", "GET", "POST", "HEAD", "DELETE"]),
    target=st.builds("{}{}".format, st.sampled_from(GOOD_PATHS), st.sampled_from(["", "?a=%zz&b"])),
    host=st.sampled_from(["gw", "gw", "api.example.com"]),
    fields=fields_of([line for line in FIELDS if line not in REFUSED], 6),
    token=st.sampled_from(["none", "user", "user", "douyin", "guest"]),
    carriers=CARRIED,
    body=st.none() | BODIES,
)
"""Mostly let in, whatever their headers claim."""
EXAMPLES = st.sampled_from([USUAL, USUAL, ODD]).flatmap(lambda kind: kind)
