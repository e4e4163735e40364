"""P1 to P16, P21: spellings of a path, and where each leads with few routes, many, a catch-all.

Design section 8 decides: dot segments, backslashes, controls, bad percent signs and `#` are always
refused; `//`, `%2f` and `;` unless the route allows them, and then only where every reading has the
same route. All else is forwarded as the bytes received.
"""

from collections.abc import Iterator

from tests.attack.model import Entry
from tests.attack.rows.places import CATCH_ALL, Row, at, cases

_DOTS = (
    ("P1", b"/public/../admin/x /public/./../admin/x /public/.. /public/. /.. /. /../admin/x"),
    ("P1", b"/public/x/../../admin/x /./admin/x /admin/../public/x /admin/./x /public/x/."),
    ("P1", b"/public/../../../../etc/passwd /public/.../../admin/x /public/../public/x"),
    ("P2", b"/public/%2e%2e/admin/x /public/.%2e/admin/x /public/%2e./admin/x /public/.%2e/"),
    ("P2", b"/public/%2E%2E/admin/x /public/%2E./admin /public/%2e/x /public/%2e /%2e%2e/admin"),
    ("P2", b"/%2e/admin/x /public/%2e%2E%2f%2e%2e/admin"),
    ("P4", b"/public//../admin //../admin/x"),
    ("P5", b"/public%2f..%2fadmin/x /public%2f%2e%2e%2fadmin /public/a%2F..%2F..%2Fadmin/x"),
    ("P6", rb"/public/..%5cadmin /public/..\admin /public%5c..%5cadmin /public\..\admin\x"),
    ("P6", rb"/public/%5Cadmin /public/x%5c \admin\x /\admin/x /%5cadmin/x /public/.%5c./admin"),
    ("P7", b"/public/..%2fadmin /public/..%c0%afadmin /%c0%ae%c0%ae/admin /public/%u002e/x"),
    ("P7", b"/public/%c0%ae%c0%ae/admin /public/%c0%2e%c0%2e/../x /public/%u002e%u002e/admin"),
    ("P7", b"/public/%e0%80%ae%e0%80%ae/admin /public/%f0%80%80%ae./admin /public/.%c0%ae/x"),
    ("P7", b"/public/%uff0e%uff0e/admin /public/..%c1%9cadmin /public/..%e0%80%afadmin"),
    ("P8", b"/public/..;/admin/x /public;/../admin /public/..;a=b/admin/x /public/..%3b/admin/x"),
    ("P8", b"/public/.;/x /..;/admin/x /public/%2e%2e;/admin/x /public/%2e%2e%3bx/admin"),
    ("P9", b"/public/.%09./admin /public/.%0a./admin /public/%0d%0a /public/%00 /admin%00.css"),
    ("P9", b"/public/x%7f /public/%1b[2J /admin%00 /%00/admin/x /public/..%00/admin /admin/%0a"),
    ("P9", b"/public/%0d%0aX-OpenId:%20evil /public/..%09/admin /admin%0d/x /public/%01"),
    ("P11", b"/admin/x#/public/ /public/x#/admin /#/public/ /public/#"),
    ("P14", b"/admin/. /admin/%2e /admin/.. /admin/%00"),
    ("P15", b"/public%3f/../admin /public/%3f/../admin/x /public/x%3f/../../admin"),
    ("P16", b"/public/x?a#b /admin/x?#/public/"),
    ("P19", b"/a%zz /public/a%zz /public/a% /public/% /public/%4 /public/%g1 /public/%-1"),
    ("P19", b"/public/%%61 /public/x%u0041 /public/%+1 /admin/%zz"),
)
"""Refused everywhere, whatever the session. (P19 says forwarded; design section 8 has it refused:
a bad percent sign is read differently everywhere.)"""

_PLACES: tuple[Row, ...] = (
    # Double encoding: forwarded unchanged, never decoded twice.
    ("P3", b"/public/%252e%252e/admin/x", "main", "main"),
    ("P3", b"/public/%252E%252E%252Fadmin", "main", "main"),
    ("P3", b"/public/%25252e/x", "main", "main"),
    ("P3", b"/public/%255c..%255cadmin", "main", "main"),
    ("P3", b"/public/%2500", "main", "main"),
    ("P3", b"/%252e%252e/admin/x", "nowhere", "main"),
    ("P3", b"/admin%252fx", "nowhere", "main"),
    ("P3", b"/admin/%252e%252e/x", "admin", "admin"),
    # More slashes than one.
    ("P4", b"//admin/x", "nowhere", "refused"),
    ("P4", b"///", "nowhere", "main"),
    ("P4", b"///admin/x", "nowhere", "refused"),
    ("P4", b"/public//x", "refused", "refused"),
    ("P4", b"//public/x", "nowhere", "refused"),
    ("P4", b"/public//admin/x", "refused", "refused"),
    ("P4", b"/admin//x", "refused", "refused"),
    ("P4", b"/admin//", "refused", "refused"),
    ("P4", b"//evil.example/x", "nowhere", "main"),
    # Encoded slashes.
    ("P5", b"/public%2Fadmin", "nowhere", "refused"),
    ("P5", b"/public%2fadmin%2fx", "nowhere", "refused"),
    ("P5", b"/admin%2fx", "nowhere", "refused"),
    ("P5", b"/admin%2F", "nowhere", "refused"),
    ("P5", b"/public/%2fadmin/x", "refused", "refused"),
    ("P5", b"/%2fadmin/x", "nowhere", "refused"),
    ("P5", b"/%2Fadmin%2Fx", "nowhere", "refused"),
    ("P5", b"/public/a%2Fb", "refused", "refused"),
    ("P5", b"/admin/a%2Fb", "refused", "refused"),
    # What lax decoders read as a slash or a letter.
    ("P7", b"/admin%c0%afx", "nowhere", "refused"),
    ("P7", b"/%c1%a1dmin/x", "nowhere", "refused"),
    ("P7", b"/%e0%81%a1dmin/x", "nowhere", "refused"),
    ("P7", b"/%c0%afadmin/x", "nowhere", "refused"),
    ("P7", b"/public/%c0%afadmin/x", "main", "main"),
    ("P7", b"/public/%ef%bc%8e%ef%bc%8e/admin", "main", "main"),
    ("P7", b"/public/..%ef%bc%8fadmin", "main", "main"),
    # Parameters.
    ("P8", b"/admin;jsessionid=1/x", "nowhere", "refused"),
    ("P8", b"/;/admin/x", "nowhere", "refused"),
    ("P8", b"/;x=y/admin/x", "nowhere", "refused"),
    ("P8", b"/public/;/admin", "refused", "refused"),
    ("P8", b"/public;x/y", "nowhere", "refused"),
    ("P8", b"/admin%3bx/y", "nowhere", "refused"),
    ("P8", b"/admin;/x", "nowhere", "refused"),
    ("P8", b"/admin/x;a=b", "refused", "refused"),
    ("P8", b"/x;/../admin;a", "refused", "refused"),
    ("P9", b"/public/%C2%80", "main", "main"),
    # Encoded letters mean themselves, once.
    ("P10", b"/%61dmin/x", "admin", "admin"),
    ("P10", b"/%61dmin", "admin", "admin"),
    ("P10", b"/admi%6e/x", "admin", "admin"),
    ("P10", b"/%61%64%6D%69%6e/x", "admin", "admin"),
    ("P10", b"/admin/%78", "admin", "admin"),
    ("P10", b"/p%75blic/x", "main", "main"),
    ("P10", b"/%2561dmin", "nowhere", "main"),
    ("P10", b"/%2561dmin/x", "nowhere", "main"),
    ("P10", b"/%41dmin/x", "nowhere", "main"),
    ("P10", b"/%61%64%6d%69%6e%2fx", "nowhere", "refused"),
    ("P10", b"/admin%2e/x", "nowhere", "main"),
    # An encoded # or ? is part of the path, and the end of it to some.
    ("P12", b"/admin/x%23/public/", "admin", "admin"),
    ("P12", b"/public/x%23/admin/", "main", "main"),
    ("P12", b"/admin%23/public/", "nowhere", "refused"),
    ("P12", b"/public%23/admin/x", "nowhere", "refused"),
    ("P12", b"/%23/admin/x", "nowhere", "main"),
    # Paths have case; nothing folds.
    ("P13", b"/ADMIN/x", "nowhere", "main"),
    ("P13", b"/Admin", "nowhere", "main"),
    ("P13", b"/aDMIN/x", "nowhere", "main"),
    ("P13", b"/%41DMIN/x", "nowhere", "main"),
    ("P13", b"/PUBLIC/x", "nowhere", "main"),
    ("P13", b"/adm%C4%B1n/x", "nowhere", "main"),
    ("P13", b"/adm%C4%B0n/x", "nowhere", "main"),
    ("P13", b"/ADM%C4%B0N/x", "nowhere", "main"),
    ("P13", b"/%EF%BD%81dmin/x", "nowhere", "main"),
    ("P13", b"/%EF%BC%A1DMIN/x", "nowhere", "main"),
    ("P13", b"/%E2%93%90dmin/x", "nowhere", "main"),
    ("P13", b"/%C3%A1dmin/x", "nowhere", "main"),
    ("P13", b"/a%CC%80dmin/x", "nowhere", "main"),
    ("P13", b"/admin%E2%80%8B/x", "nowhere", "main"),
    ("P13", b"/publi%C5%BF/x", "nowhere", "main"),
    # The edges of a prefix.
    ("P14", b"/admin", "admin", "admin"),
    ("P14", b"/admin/", "admin", "admin"),
    ("P14", b"/admin?", "admin", "admin"),
    ("P14", b"/admin/?", "admin", "admin"),
    ("P14", b"/admin/x/", "admin", "admin"),
    ("P14", b"/admin/...", "admin", "admin"),
    ("P14", b"/adminx", "nowhere", "main"),
    ("P14", b"/adminx/", "nowhere", "main"),
    ("P14", b"/admi", "nowhere", "main"),
    ("P14", b"/admin.", "nowhere", "main"),
    ("P14", b"/admin.json", "nowhere", "main"),
    ("P14", b"/admin%20", "nowhere", "main"),
    ("P14", b"/admin%20/x", "nowhere", "main"),
    ("P14", b"/%20admin/x", "nowhere", "main"),
    ("P14", b"/admin+/x", "nowhere", "main"),
    ("P14", b"/admin~", "nowhere", "main"),
    ("P14", b"/admin:80/x", "nowhere", "main"),
    ("P14", b"/admin%3a/x", "nowhere", "main"),
    ("P14", b"/admin@/x", "nowhere", "main"),
    ("P14", b"/admin,x", "nowhere", "main"),
    ("P14", b"/admin&x", "nowhere", "main"),
    ("P14", b"/admin=x", "nowhere", "main"),
    ("P14", b"/public", "main", "main"),
    ("P14", b"/publicx", "nowhere", "main"),
    # Where the query begins.
    ("P15", b"/public?/../admin/x", "main", "main"),
    ("P15", b"/public/x%3f/admin", "main", "main"),
    ("P15", b"/public%3f/x", "nowhere", "refused"),
    ("P15", b"/admin%3f/x", "nowhere", "refused"),
    ("P15", b"/?/admin/x", "nowhere", "main"),
    # The query is nobody's business.
    ("P16", b"/admin/x?next=/public/", "admin", "admin"),
    ("P16", b"/admin/x?/public/", "admin", "admin"),
    ("P16", b"/admin?/public/", "admin", "admin"),
    ("P16", b"/admin/x?path=/public/&route=/public/&X-OpenId=b", "admin", "admin"),
    ("P16", b"/public/x?a=1;b=2&c=%26&a=3", "main", "main"),
    ("P16", b"/public/x?..%2f..%2fadmin/../", "main", "main"),
    ("P16", b"/public/x?//admin//", "main", "main"),
    ("P16", b'/public/x?a[]=1&b={c}|^`"<>\\', "main", "main"),
    ("P16", b"/public/x?%00%0d%0a%zz%", "main", "main"),
    ("P16", b"/public/x??&&=&=?", "main", "main"),
    ("P16", b"/public/x?", "main", "main"),
    # What no path may hold unescaped, and clients send all the same: one reading, so it goes on.
    ("P20", b'/public/{x}|^`"<>[y]', "main", "main"),
    ("P20", b'/admin/"x"', "admin", "admin"),
    ("P20", b"/[admin]/x", "nowhere", "main"),
    ("P20", b"/;bb%2F%2F.x//%3B%C0%BB%2Fa%C0%BF%3F;", "nowhere", "refused"),
    ("P20", b"/" + b"%2f;/" * 1000, "nowhere", "main"),
    # Chinese, in both encodings. Bytes of GBK may be those of overlong UTF-8: C0AF is a letter.
    ("P21", b"/public/%E4%BD%A0%E5%A5%BD", "main", "main"),
    ("P21", b"/public/%e4%bd%a0%e5%a5%bd", "main", "main"),
    ("P21", b"/public/%C4%E3%BA%C3", "main", "main"),
    ("P21", b"/public/%c4%e3%BA%c3.html", "main", "main"),
    ("P21", b"/public/%C0%AE%B0%C8", "main", "main"),
    ("P21", b"/public/%C0%AF%D6%F2", "main", "main"),
    ("P21", b"/public/%81%40%FE%FE", "main", "main"),
    ("P21", b"/public/%95%32%82%36", "main", "main"),
    ("P21", b"/admin/%C4%E3", "admin", "admin"),
    ("P21", b"/%C4%E3%BA%C3/x", "nowhere", "main"),
    # Not everything in GBK: a second byte 5C is a backslash, a segment C0AE alone an overlong dot.
    ("P21", b"/public/%D5%5C", "refused", "refused"),
    ("P21", b"/public/%C0%AE", "refused", "refused"),
)

_ALLOWED = (
    # What a route allows goes on as it came, as long as nobody reads another route in it.
    ("P4", b"/ds//x", "main"),
    ("P4", b"/ds/a//b///c", "main"),
    ("P4", b"/ds//", "main"),
    ("P4", b"/all//admin/x", "main"),
    ("P4", b"/ds//../admin/x", "refused"),
    ("P4", b"/es//x", "refused"),
    ("P4", b"/sc//x", "refused"),
    ("P4", b"/exact//", "main"),
    ("P5", b"/es/a%2Fb", "main"),
    ("P5", b"/es/%2fadmin%2fx", "main"),
    ("P5", b"/es/..%2fadmin/x", "refused"),
    ("P5", b"/es/%2e%2e%2fadmin/x", "refused"),
    ("P5", b"/ds/a%2fb", "refused"),
    ("P5", b"/exact%2f", "main"),
    ("P6", b"/all/..%5cadmin", "refused"),
    ("P7", b"/all/..%c0%afadmin/x", "refused"),
    ("P8", b"/sc/a;v=1/b;w", "main"),
    ("P8", b"/sc/;/admin/x", "main"),
    ("P8", b"/sc/..;/admin/x", "refused"),
    ("P8", b"/sc;/x", "refused"),
    ("P8", b"/es/a;b", "refused"),
    ("P8", b"/all//a%2fb;c", "main"),
    ("P8", b"/exact;x", "refused"),
)


def entries() -> Iterator[Entry]:
    """List P1 to P16 and P21, less P17 and P18."""
    for row, targets in _DOTS:
        yield from cases((row, target, "refused", "refused") for target in targets.split(b" "))
    yield from cases(_PLACES)
    for row, target, place in _ALLOWED:
        yield at(row, target, "main" if place == "main" else "refused", CATCH_ALL)
