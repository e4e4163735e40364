"""F4 to F6: what a trusted peer says of its client, and what no peer is believed.

Trusted are 127.0.0.1 (the suite itself), 10.0.0.0/8 and fd00::/8; the rest of the world is not.
"""

from collections.abc import Iterator

from tests.attack.model import Arrives, Carried, Case, Entry, RouteKind, Usual, request

_PEER = b"127.0.0.1"
_OVER: tuple[tuple[RouteKind, Carried], ...] = (
    ("public", "none"),
    ("required", "none"),
    ("required", "valid"),
    ("required", "invalid"),
)
_LONG = b"10.0.0.2"
_CHAINS: tuple[tuple[str, bytes, bytes], ...] = (
    # (row, what the peer sends, what a service is told: the client first, the peer last)
    ("F4", b"1.2.3.4", b"1.2.3.4, 127.0.0.1"),
    ("F4", b"evil, 1.2.3.4", b"1.2.3.4, 127.0.0.1"),
    ("F4", b"evil, 1.2.3.4, 10.0.0.2", b"1.2.3.4, 10.0.0.2, 127.0.0.1"),
    ("F4", b"127.0.0.1, 1.2.3.4", b"1.2.3.4, 127.0.0.1"),
    ("F4", b"10.9.9.9, 1.2.3.4, 10.0.0.2", b"1.2.3.4, 10.0.0.2, 127.0.0.1"),
    ("F4", b"evil,1.2.3.4\t,\t10.0.0.2", b"1.2.3.4, 10.0.0.2, 127.0.0.1"),
    ("F4", b"10.0.0.3, 10.0.0.2", b"10.0.0.3, 10.0.0.2, 127.0.0.1"),
    ("F4", b"2001:DB8::1, fd00::2", b"2001:db8::1, fd00::2, 127.0.0.1"),
    ("F4", b"", _PEER),
    ("F5", b"a", _PEER),
    ("F5", b"1.2.3", _PEER),
    ("F5", b"1.2.3.4.5", _PEER),
    ("F5", b"1.2.3.256", _PEER),
    ("F5", b"unknown", _PEER),
    ("F5", b"_hidden", _PEER),
    ("F5", b"localhost", _PEER),
    ("F5", b'"[::1]:80"', _PEER),
    ("F5", b"[::1]", _PEER),
    ("F5", b"[::1]:80", _PEER),
    ("F5", b"1.2.3.4:80", _PEER),
    ("F5", b"for=1.2.3.4", _PEER),
    ("F5", b"1.2.3.4;", _PEER),
    ("F5", b"1.2.3.4 5.6.7.8", _PEER),
    ("F5", b"1.2.3.4,", _PEER),
    ("F5", b",", _PEER),
    ("F5", b"1.2.3.4, evil, 10.0.0.2", b"10.0.0.2, 127.0.0.1"),
    ("F5", b"1.2.3.4, , 10.0.0.2", b"10.0.0.2, 127.0.0.1"),
    ("F5", b"-1", _PEER),
    ("F5", b"*", _PEER),
    ("F5", b"0.0.0.0/0", _PEER),
    ("F5", b"\xc2\xb9.2.3.4", _PEER),
    ("F5", b"a" * 10_000, _PEER),
    ("F5", b"," * 10_000, _PEER),
    ("F5", b"1.2.3.4, " + b"10.0.0.2, " * 1000 + b"10.0.0.2", b", ".join([_LONG] * 32 + [_PEER])),
    ("F6", b"::ffff:127.0.0.1", b"127.0.0.1, 127.0.0.1"),
    ("F6", b"::ffff:1.2.3.4", b"1.2.3.4, 127.0.0.1"),
    ("F6", b"9.9.9.9, ::ffff:10.0.0.2", b"9.9.9.9, 10.0.0.2, 127.0.0.1"),
    ("F6", b"9.9.9.9, ::FFFF:0a00:0002", b"9.9.9.9, 10.0.0.2, 127.0.0.1"),
    ("F6", b"fe80::1%eth0", _PEER),
    ("F6", b"fd00::1%lo", _PEER),
    ("F6", b"::1%25lo", _PEER),
    ("F6", b"0177.0.0.1", _PEER),
    ("F6", b"127.0.0.01", _PEER),
    ("F6", b"0x7f.0.0.1", _PEER),
    ("F6", b"2130706433", _PEER),
    ("F6", b"0x7f000001", _PEER),
    ("F6", b"127.1", _PEER),
    ("F6", b"127.0.0.1.", _PEER),
    ("F6", b"9.9.9.9, 012.0.0.2", _PEER),
    ("F6", b"9.9.9.9, 10.0.0.2%x", _PEER),
)


def _chains() -> Iterator[Case]:
    for row, value, chain in _CHAINS:
        yield _case(row, (b"X-Forwarded-For: " + value,), chain)
    for lines, chain in (
        ((b"X-Forwarded-For: evil, 1.2.3.4", b"X-Forwarded-For: 10.0.0.2"), b"1.2.3.4, 10.0.0.2"),
        ((b"X-Forwarded-For: 1.2.3.4", b"x-forwarded-for: 5.6.7.8"), b"5.6.7.8"),
        ((b"X_Forwarded_For: 1.2.3.4",), b""),
        ((b"X.Forwarded.For: 1.2.3.4",), b""),
        ((b"X-Real-IP: 1.2.3.4",), b""),
        ((b"Forwarded: for=1.2.3.4",), b""),
        ((b"X-Wx-Client-Ip: 1.2.3.4",), b""),
        ((b"Connection: X-Forwarded-For", b"X-Forwarded-For: 1.2.3.4"), b"1.2.3.4"),
    ):
        yield _case("F4", lines, b", ".join(filter(None, (chain, _PEER))))


def _case(row: str, lines: tuple[bytes, ...], chain: bytes, stage: str = "behind") -> Case:
    text = " | ".join(ascii(line.decode("latin-1"))[1:-1] for line in lines)
    has = (b"X-Forwarded-For: " + chain, b"X-Real-IP: " + chain.partition(b",")[0])
    return Case(
        row=row,
        title=f"{stage}: {text[:60]}{'…' if len(text) > 60 else ''} ({len(text)})",
        send=request(*lines),
        expect=Usual(Arrives(has=has)),
        over=_OVER,
        stage=stage,
    )


_ONE = (
    # Another header than a list names one client, plainly, or nobody.
    ("F4", (b"X-Wx-Client-Ip: 1.2.3.4",), b"1.2.3.4"),
    ("F4", (b"x-wx-client-ip: 1.2.3.4",), b"1.2.3.4"),
    ("F4", (b"X-Forwarded-For: 1.2.3.4",), b""),
    ("F4", (b"X_Wx_Client_Ip: 1.2.3.4",), b""),
    ("F5", (b"X-Wx-Client-Ip: 1.2.3.4, 5.6.7.8",), b""),
    ("F5", (b"X-Wx-Client-Ip: 1.2.3.4", b"X-Wx-Client-Ip: 5.6.7.8"), b""),
    ("F5", (b"X-Wx-Client-Ip: evil",), b""),
    ("F5", (b"X-Wx-Client-Ip:",), b""),
    ("F5", (b"X-Wx-Client-Ip: 1.2.3.4:80",), b""),
    ("F6", (b"X-Wx-Client-Ip: 0177.0.0.1",), b""),
    ("F6", (b"X-Wx-Client-Ip: ::ffff:1.2.3.4",), b"1.2.3.4"),
    ("F6", (b"X-Wx-Client-Ip: fe80::1%eth0",), b""),
)

_SAYS = (
    # A trusted peer may say what the client asked for, once and plainly; it changes no route.
    ((b"X-Forwarded-Proto: https",), b"X-Forwarded-Proto: https"),
    ((b"X-Forwarded-Proto: HTTPS",), b"X-Forwarded-Proto: https"),
    ((b"X-Forwarded-Proto: evil",), b"X-Forwarded-Proto: http"),
    ((b"X-Forwarded-Proto: https, http",), b"X-Forwarded-Proto: http"),
    ((b"X-Forwarded-Proto: https", b"X-Forwarded-Proto: http"), b"X-Forwarded-Proto: http"),
    ((b"X_Forwarded_Proto: https",), b"X-Forwarded-Proto: http"),
    ((b"X-Forwarded-Host: shop.example:81",), b"X-Forwarded-Host: shop.example:81"),
    ((b"X-Forwarded-Host: evil, @HOST@",), b"X-Forwarded-Host: @HOST@"),
    ((b"X-Forwarded-Host: a/evil",), b"X-Forwarded-Host: @HOST@"),
    ((b"X-Forwarded-Host: u@evil",), b"X-Forwarded-Host: @HOST@"),
    ((b"X-Forwarded-Host: a", b"X-Forwarded-Host: evil"), b"X-Forwarded-Host: @HOST@"),
    ((b"X-Request-Id: from-our-balancer",), b"X-Request-Id: from-our-balancer"),
)


def entries() -> Iterator[Entry]:
    """List F4 to F6, and what of F3 a trusted peer may say."""
    yield from _chains()
    for row, lines, client in _ONE:
        chain = b", ".join(filter(None, (client, _PEER)))
        yield _case(row, lines, chain, "behind-real-ip")
    for lines, told in _SAYS:
        yield Case(
            row="F3",
            title=f"a trusted peer: {' | '.join(line.decode() for line in lines)}",
            send=request(*lines),
            expect=Usual(Arrives(has=(told,))),
            over=_OVER,
            stage="behind",
        )
    for name in (b"X-Forwarded-Uri", b"X-Original-URL", b"X-Rewrite-URL", b"X-Forwarded-Path"):
        yield Case(
            row="F2",
            title=f"a trusted peer's {name.decode()} opens nothing",
            send=request(name + b": /public/x", line=b"GET /admin/x HTTP/1.1"),
            expect=Usual(Arrives(service="admin", lacks=(name.lower(),))),
            over=_OVER[1:],
            stage="behind",
        )
    for name in (b"X-Forwarded-Port", b"X-Forwarded-Prefix", b"X-Forwarded-Server"):
        yield Case(
            row="F3",
            title=f"a trusted peer's {name.decode()} is dropped",
            send=request(name + b": evil", line=b"GET /admin/x HTTP/1.1"),
            expect=Usual(Arrives(service="admin", lacks=(name.lower(),))),
            over=_OVER[1:],
            stage="behind",
        )
