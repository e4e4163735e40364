"""Header names for tests: what only we may say, what ends here, and how one may be spelt."""

from collections.abc import Iterator

from tests.support.requests import TCHAR_MARKS

# Design section 7 and the names of ecosystem.md 1.4, written down again, not imported.
OUR_NAMES = [
    *("X-OpenId", "X-Platform", "X-AppId", "X-Subject", "X-UnionId", "X-Anonymous-OpenId"),
    *("X-User-Id", "X-Session-Id", "X-Gateway-Assertion", "X-Request-Id", "X-Real-IP"),
    *("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Prefix"),
    *("Forwarded", "X-App-Id", "From-Source", "X-Userinfo", "Remote-User", "X-Forwarded-User"),
    *("X-Auth-Request-User", "user_id", "user_key", "username"),
    *("X-WX-OPENID", "X-WX-APPID", "X-WX-UNIONID", "X-WX-FROM-OPENID", "X-WX-SOURCE", "X-WX-ENV"),
    *("X-TT-OPENID", "X-TT-ANONYMOUS-OPENID", "X-TT-UNIONID", "X-TT-APPID", "X-TT-SOURCE"),
    *("X-Original-Forwarded-For", "X-Original-URL", "X-Original-URI", "X-Original-Method"),
    *("X-Rewrite-URL", "X-Forwarded-Uri", "X-Forwarded-Path", "X-Forwarded-Port"),
    *("X-Forwarded-Method", "X-Forwarded-Server", "X-HTTP-Method-Override"),
    *("X-Session-Token", "X-Session-Anything", "X-Gateway-Error", "X-Gateway-Anything"),
]
HOP_BY_HOP = [
    *("Connection", "Proxy-Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding"),
    *("Upgrade", "HTTP2-Settings", "Proxy-Authorization", "Proxy-Authenticate", "Proxy"),
]
HARMLESS = ["Accept", "Content-Type", "Origin", "User-Agent", "X-Requested-With", "X-My-Thing"]
# Bytes that somebody's CGI, WSGI or PHP reads as the same character (H3 to H6).
MARKS = TCHAR_MARKS + "[ "


def spellings(name: str) -> Iterator[bytes]:
    """A name with each mark for its hyphens, in each case."""
    for mark in MARKS:
        spelt = name.replace("-", mark).replace("_", mark).encode()
        yield from (spelt, spelt.lower(), spelt.upper(), spelt.swapcase())
