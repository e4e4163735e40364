"""S13, S18: where a token may not stand, and tokens that disagree."""

from collections.abc import Iterator

from tests.attack.model import (
    Arrives,
    Case,
    Entry,
    Expect,
    NotApplicable,
    forwarded,
    refused,
    request,
)
from tests.attack.rows.s_tokens import LOOKING, MISSING, REQUIRED

_CONFLICT = refused(400, codes=["token_conflict"], ends="open")

_QUERIES = (
    b"token=@A@",
    b"access_token=@A@",
    b"session=@A@",
    b"authorization=Bearer%20@A@",
    b"X-Session-Token=@A@",
    b"gw_ticket=@A@",
    b"gw%5Fticket=@A@",
    b"jwt=@A@",
)


def _places() -> Iterator[Entry]:
    for query in _QUERIES:
        send = request(line=b"GET @ROUTE@/x?" + query + b" HTTP/1.1", session=False)
        title = f"in the query: {query.decode()}"
        yield Case(row="S13", title=title, send=send, expect=MISSING, over=REQUIRED)
    for query in (b"gw_ticket=@A@", b"a=1&gw_ticket=@A@&b=2", b"%67w_ticket=@A@"):
        kept = b"?a=1&b=2" if b"a=1" in query else b""
        yield Case(
            row="S13",
            title=f"no service is told of a ticket: {query.decode()}",
            send=request(line=b"GET @ROUTE@/x?" + query + b" HTTP/1.1", session=False),
            expect=forwarded(Arrives(line=b"GET @UP@/x" + kept + b" HTTP/1.1", person=None)),
            over=(("optional", "none"), ("public", "none")),
            may_arrive=(b"GET @ROUTE@/x",),
        )
    yield from _disagreeing()
    fragment = request(line=b"GET @ROUTE@/x#token=@A@ HTTP/1.1", session=False)
    yield Case(
        row="S13",
        title="in a fragment",
        send=fragment,
        expect=refused(400, codes=["target_refused", "bad_request"]),
        over=REQUIRED,
    )
    for cookie in (b"session=@A@", b"gw_session=@A@", b"token=@A@", b"__Host-session=@A@"):
        yield Case(
            row="S18",
            title=f"no cookie is read: {cookie.decode()}",
            send=request(b"Cookie: " + cookie, session=False),
            expect=MISSING,
            over=REQUIRED,
        )
    yield NotApplicable(
        row="S18",
        title="attributes, duplicates, tossing",
        reason="waits for `session.cookie`, which this version refuses",
    )


_PAIRS = (
    ("two users'", b"@A@", b"@B@"),
    ("a good and a forged one", b"@A@", b"@BAD@"),
    ("a forged and a good one", b"@BAD@", b"@A@"),
    ("a good one and null", b"@A@", b"null"),
    ("a good one and the prefix", b"@A@", b"gw1."),
    ("a good one and itself in quotes", b"@A@", b'"@A@"'),
)


def _disagreeing() -> Iterator[Case]:
    for title, first, second in _PAIRS:
        bearer, header = b"Authorization: Bearer " + first, b"X-Session-Token: " + second
        for order, lines in (("", (bearer, header)), (", the other way", (header, bearer))):
            yield Case(
                row="S13",
                title=f"{title}{order}",
                send=request(*lines, session=False),
                expect=_CONFLICT,
                over=LOOKING,
            )
        twice = (b"X-Session-Token: " + first, b"x-session-token: " + second)
        yield Case(
            row="S13",
            title=f"{title}, the same name twice",
            send=request(*twice, session=False),
            expect=_CONFLICT,
            over=LOOKING,
        )
    yield Case(
        row="S13",
        title="two users', Authorization twice",
        send=request(b"Authorization: Bearer @A@", b"Authorization: Bearer @B@", session=False),
        expect=_CONFLICT,
        over=LOOKING,
    )
    yield Case(
        row="S13",
        title="beside one in the query, the header counts",
        send=request(
            b"Authorization: Bearer @A@",
            line=b"GET @ROUTE@/x?gw_ticket=@B@ HTTP/1.1",
            session=False,
        ),
        expect=Expect(statuses=(frozenset({200}),), arrives=(Arrives(person="A"),)),
        over=REQUIRED,
        may_arrive=(b"GET @ROUTE@/x",),
    )


def entries() -> Iterator[Entry]:
    """List these rows."""
    yield from _places()
