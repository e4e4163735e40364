"""Names by which somebody somewhere is told an address, a path, a method or a host (F1 to F3)."""

from collections.abc import Iterable, Iterator

ADDRESS_NAMES = (
    b"X-Forwarded-For X-Real-IP Forwarded X-Wx-Client-Ip X-Original-Forwarded-For".split()
    + b"True-Client-IP CF-Connecting-IP CF-Connecting-IPv6 Fastly-Client-IP".split()
    + b"X-Envoy-External-Address X-ProxyUser-Ip X-Client-IP Client-IP X-Cluster-Client-IP".split()
    + b"X-Remote-IP X-Remote-Addr Remote-Addr X-Originating-IP Via".split()
    + b"WL-Proxy-Client-IP Ali-Cdn-Real-Ip X-Azure-ClientIP Cdn-Src-Ip X-Appengine-User-IP".split()
)
"""Those we do not know go on to services as they came (design section 7); none is believed."""
RESERVED_NAMES = (
    b"X-Forwarded-For X-Forwarded X-Forwarded-By X-Forwarded-Host X-Forwarded-Proto".split()
    + b"X-Real-IP Forwarded X-Original-For X-Wx-Client-Ip X-Wx-Any X-Tt-Any X-Gateway-Any".split()
)
TARGET_NAMES = (
    (b"X-Forwarded-Uri", b"/public/x"),
    (b"X-Forwarded-Path", b"/public/x"),
    (b"X-Forwarded-Prefix", b"/public"),
    (b"X-Forwarded-Method", b"OPTIONS"),
    (b"X-Forwarded-Host", b"public.evil"),
    (b"X-Original-URL", b"/public/x"),
    (b"X-Original-URI", b"/public/x"),
    (b"X-Original-Path", b"/public/x"),
    (b"X-Original-Method", b"OPTIONS"),
    (b"X-Rewrite-URL", b"/public/x"),
    (b"X-Rewrite-URI", b"/public/x"),
    (b"X-HTTP-Method-Override", b"OPTIONS"),
)


def spellings(names: Iterable[bytes]) -> Iterator[bytes]:
    """Give each name as it is, in lower case, with underscores and with dots."""
    for name in names:
        yield from dict.fromkeys(
            (name, name.lower(), name.replace(b"-", b"_"), name.replace(b"-", b".").lower())
        )
