"""G1, G2: which host is named, and that many hosts route as few do."""

from collections.abc import Iterator

from tests.attack.model import (
    Arrives,
    Carried,
    Case,
    Entry,
    Expect,
    RouteKind,
    Usual,
    forwarded,
    refused,
    request,
)

_GUARDED: tuple[tuple[RouteKind, Carried], ...] = (
    ("required", "none"),
    ("required", "valid"),
    ("required", "invalid"),
)
_BAD_HOSTS = (
    b"",
    b":80",
    b"@HOST@:99999",
    b"@HOST@:0",
    b"@HOST@:65536",
    b"@HOST@:-1",
    b"@HOST@:+80",
    b"@HOST@:80a",
    b"@HOST@:80:80",
    b"@HOST@: 80",
    b"@HOST@:",
    b"@HOST@ evil",
    b"@HOST@\tevil",
    b"@HOST@,evil",
    b"@HOST@, @HOST@",
    b"@HOST@/evil",
    b"@HOST@\\evil",
    b"@HOST@?evil",
    b"@HOST@#evil",
    b"u@@HOST@",
    b"evil@@HOST@",
    b"@HOST@@evil",
    b"u:p@@HOST@",
    b"@HOST@%00.evil",
    b"@HOST@%2eevil",
    b"%67w.test",
    b"http://@HOST@",
    b"//@HOST@",
    b"@HOST@;evil",
    b"@HOST@&evil",
    b"@HOST@'evil",
    b'"@HOST@"',
    b"<@HOST@>",
    b"@HOST@|evil",
    b"{@HOST@}",
    b"(@HOST@)",
    b"*.test",
    b"*",
    b".@HOST@",
    b"-evil.test",
    b"gw..test",
    b"@HOST@..",
    b".",
    b"\xe4\xb8\xad\xe5\x9b\xbd.test",
    b"gw\xe3\x80\x82test",
    b"g\xc3\xbc.test",
    b"@HOST@\xff",
    b"@HOST@\x0b",
    b"@HOST@\x00",
    b"@HOST@\x7f",
    b"[::1",
    b"::1",
    b"[::1]evil",
    b"[::1]:",
    b"[::1]:99999",
    b"[::g]",
    b"[]",
    b"[127.0.0.1]",
    b"[::1%25lo]",
    b"[::1%lo]",
    b"[v1.evil]",
    b"[[::1]]",
    b"a" * 254,
    b"a." * 4096,
    b"a" * 8192,
)
_GOOD_HOSTS = (
    b"@HOST@",
    b"GW.TEST",
    b"@HOST@.",
    b"@HOST@:80",
    b"@HOST@:65535",
    b"@HOST@:00080",
    b"GW.Test.:443",
    b"xn--fiqs8s.test",
    b"XN--FIQS8S.TEST",
    b"gw_1.test",
    b"localhost",
    b"127.0.0.1",
    b"127.0.0.1:8080",
    b"[::1]",
    b"[::1]:80",
    b"[0:0:0:0:0:0:0:1]",
    b"[::ffff:127.0.0.1]",
    b"1",
    b"a" * 253,
)


def _hosts() -> Iterator[Case]:
    for host in _BAD_HOSTS:
        text = ascii(host.decode("latin-1"))[1:-1]
        yield Case(
            row="G1",
            title=f"Host: {text[:60]} ({len(host)})",
            send=request(host=b"Host: " + host),
            expect=refused(400, codes=["bad_request"]),
            over=(("public", "none"), ("required", "valid")),
        )
    for host in _GOOD_HOSTS:
        # As the client wrote it: `host_header: client`.
        arrives = Arrives(has=(b"Host: " + host, b"X-Forwarded-Host: " + host))
        yield Case(
            row="G1",
            title=f"Host: {host[:60].decode()} is a host",
            send=request(host=b"Host: " + host),
            expect=forwarded(arrives),
            over=(("public", "none"), ("required", "valid")),
        )


_NO_ONE_HOST = (
    ("none", b"", ()),
    ("two", b"Host: @HOST@", (b"Host: evil",)),
    ("two the same", b"Host: @HOST@", (b"Host: @HOST@",)),
    ("two, another case", b"Host: @HOST@", (b"HOST: evil",)),
    ("one beside Host_", b"Host: @HOST@", (b"Host : evil",)),
    ("folded", b"Host:", (b" evil",)),
    ("space before the colon", b"Host : @HOST@", ()),
    ("another name for it", b"X-Host: @HOST@", ()),
)


def _numbers() -> Iterator[Case]:
    for title, host, lines in _NO_ONE_HOST:
        yield Case(
            row="G1",
            title=f"hosts: {title}",
            send=request(*lines, host=host),
            expect=refused(400, codes=["bad_request"]),
            over=(("public", "none"), ("required", "valid")),
        )
    for host in (b"", b"Host:"):
        send = request(host=host, line=b"GET @ROUTE@/x HTTP/1.0")
        yield Case(
            row="G1",
            title=f"HTTP/1.0, {host.decode() or 'none'}",
            send=send,
            expect=refused(400, codes=["bad_request"]),
        )


def _named(number: int) -> tuple[bytes, ...]:
    """How a client may write this host."""
    name = b"h%d.test" % number
    return (name, name.upper(), name + b".", name + b":8080", name.title() + b".:80")


def _routing() -> Iterator[Case]:
    """The last of the hosts, in every spelling; and what is nearly it."""
    for stage, count in (("hosts-10", 10), ("hosts-500", 500)):
        for number in (0, count // 2, count - 1):
            for host in _named(number):
                yield _at(stage, host, b"/only/x", forwarded(Arrives(line=_line(b"/only/x"))))
                arrives = Arrives(line=_line(b"/only/admin/x"), service="admin")
                yield _at(stage, host, b"/only/admin/x", Usual(arrives))
        last = b"h%d.test" % (count - 1)
        unknown = (
            b"h%d.test" % count,
            b"gw.test",
            b"unknown.test",
            b"other." + last,
            last + b".other",
            last.replace(b".", b"-"),
            last[1:],
            b"127.0.0.1",
            b"[::2]",
            b"h%d.test" % (count * 1000),
        )
        for host in unknown:
            nowhere = refused(404, codes=["route_not_found"], ends="either")
            yield _at(stage, host, b"/only/x", nowhere)
            yield _at(stage, host, b"/only/admin/x", nowhere)
            # Routes without a host are for every host: the configured default.
            yield _at(stage, host, b"/public/x", forwarded(Arrives(line=_line(b"/public/x"))))
            here = Usual(Arrives(line=_line(b"/admin/x"), service="admin"))
            yield _at(stage, host, b"/admin/x", here)
        for host in (b"xn--fiqs8s.test", b"XN--FIQS8S.test.:80", b"[::1]", b"[0::0:1]:80"):
            yield _at(stage, host, b"/only/x", forwarded(Arrives(line=_line(b"/only/x"))))
        path = b"/p%d/x" % (count - 1)
        arrives = Arrives(line=_line(path), service="admin")
        yield _at(stage, last, path, Usual(arrives))
        yield _at(stage, last, path.upper(), refused(404, ends="either"))
        claimed = (b"X-Forwarded-Host: " + last, b"X-Original-Host: " + last)
        nowhere = refused(404, ends="either")
        yield _at(stage, b"gw.test", b"/only/x", nowhere, *claimed)


def _at(stage: str, host: bytes, path: bytes, expect: Expect | Usual, *lines: bytes) -> Case:
    claims = " claiming another" if lines else ""
    return Case(
        row="G2",
        title=f"{stage}: {path.decode()} at {host.decode()}{claims}",
        send=request(*lines, line=_line(path), host=b"Host: " + host),
        expect=expect,
        over=_GUARDED if isinstance(expect, Usual) else (("public", "none"), ("public", "valid")),
        stage=stage,
    )


def _line(path: bytes) -> bytes:
    return b"GET %b HTTP/1.1" % path


def entries() -> Iterator[Entry]:
    """List G1 and G2."""
    yield from _hosts()
    yield from _numbers()
    yield from _routing()
