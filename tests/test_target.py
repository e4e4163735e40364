"""Targets: one canonical reading, or none (attacks.md P1 to P21, R1 to R4)."""

import time
from functools import partial
from urllib.parse import parse_qsl, quote_from_bytes, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.target import (
    MAX_SHORT,
    Oddity,
    Target,
    _parse_short,
    canonical,
    has_dot_segment,
    parse,
    strip,
)
from tests.support.requests import attempt, code_of

MAX = 8192
PIECES = st.sampled_from(
    [
        *("/", "//", "a", "b.", ".", "..", "%2e", "%2E%2e", "%2f", "%2F", ";", ";x", "%3b", "%41"),
        *(":", "%3A", "%3f", "%23", "%e8", "%c0%ae", "%C0%AF", "%e0%80%ae", "%25", "%252e"),
        *("{", "|", "%7b"),
    ]
)
PATHS = st.lists(PIECES, max_size=12).map(lambda pieces: "/" + "".join(pieces))


def all_readings(path: str) -> list[str]:
    """A path as it is, and however else it may be read."""
    target = parse(path, MAX)
    return [target.path, *target.readings()]


@pytest.mark.parametrize(
    ("target", "path", "why"),
    [
        ("/", "/", "the root"),
        ("/api/orders/1", "/api/orders/1", "nothing to do"),
        ("/a/", "/a/", "a slash at the end is kept"),
        ("/%61dmin/x", "/admin/x", "P10: an unreserved character means itself"),
        ("/%2561dmin", "/%2561dmin", "P10: decoded once, never twice"),
        ("/public/%252e%252e/admin/x", "/public/%252e%252e/admin/x", "P3: the same"),
        ("/ADMIN/x", "/ADMIN/x", "P13: paths have case"),
        ("/ADM%C4%B0N/x", "/ADM%C4%B0N/x", "P13: a Turkish I is no I"),
        ("/admin.", "/admin.", "P14: a dot behind a name is no dot segment"),
        ("/admin%20", "/admin%20", "P14: nor is a space"),
        ("/...", "/...", "three dots are a name"),
        ("/.well-known/x", "/.well-known/x", "so is one with a dot in front"),
        ("/a+b,c:@d", "/a+b,c:@d", "fine by design section 8"),
        ("/a%3a", "/a%3A", "RFC 3986 6.2.2.1: hex digits are upper-cased"),
        ("/%e8%ae%a2", "/%E8%AE%A2", "P21: UTF-8"),
        ("/%b6%a9%b5%a5", "/%B6%A9%B5%A5", "P21: GBK"),
        ("/%81a%b0%c0", "/%81a%B0%C0", "P21: GBK with a letter as second byte"),
        ("/a{b|c}", "/a%7Bb%7Cc%7D", "what no path may hold unescaped is escaped for matching"),
        ("/admin/x%23/public/", "/admin/x%23/public/", "P12: an encoded # is a character"),
        ("/a%c0%af..b", "/a%C0%AF..b", "GBK again: no dot segment in any reading"),
    ],
)
def test_a_target_is_read_canonically_and_kept_raw(target: str, path: str, why: str) -> None:
    """What is matched is the canonical spelling, what is forwarded the bytes received."""
    read = parse(target, MAX)
    assert (read.raw, read.path, read.query) == (target, path, None), why
    assert read.oddities == frozenset(), why


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("/public/../admin/x", "P1"),
        ("/public/./../admin/x", "P1: after another"),
        ("/public/./x", "P1: one dot"),
        ("/public/..", "P1: at the end"),
        ("/..", "P1: nothing else"),
        ("/.", "P1: one dot alone"),
        ("/public/%2e%2e/admin/x", "P2"),
        ("/public/.%2e/x", "P2: half encoded"),
        ("/public/%2E./x", "P2: the other half"),
        ("/public//../admin", "P4"),
        ("/public%2f..%2fadmin/x", "P5"),
        ("/public/..%5cadmin", "P6: an encoded backslash"),
        ("/public/..\\admin", "P6: a backslash"),
        ("/public%5c..%5cadmin", "P6: encoded on both sides"),
        ("/a\\b", "P6: without dots"),
        ("/%81%5C", "P6 before P21: a GBK character that ends in a backslash"),
        ("/public/..%2fadmin", "P7"),
        ("/public/..%c0%afadmin", "P7: an overlong slash"),
        ("/%c0%ae%c0%ae/admin", "P7: overlong dots"),
        ("/%e0%80%ae%e0%80%ae/admin", "P7: in three bytes"),
        ("/%f0%80%80%ae./admin", "P7: in four"),
        ("/public/..%c1%9cadmin", "P7: an overlong backslash"),
        ("/%u002e%u002e/admin", "P7: IIS's own escape is none"),
        ("/public/..;/admin/x", "P8"),
        ("/public/..;a=b/admin", "P8: with a parameter"),
        ("/public;/../admin", "P8: the dots behind it"),
        ("/public/..%3b/admin", "P8: an encoded semicolon"),
        ("/public/.%09./admin", "P9: tab"),
        ("/public/.%0a./admin", "P9: line feed"),
        ("/a%0d%0aX-OpenId:%20evil", "P9: a line of one's own"),
        ("/admin%00.css", "P9: NUL"),
        ("/admin%7f", "P9: DEL"),
        ("/a\x7f", "P9: DEL as it is"),
        ("/a b", "a space"),
        ("/a\tb", "a tab"),
        ("/a\n", "a line feed at the end"),
        ("/admin/x#/public/", "P11: a fragment"),
        ("/public%3f/../admin", "P15"),
        ("/public/..%3fx", "P15: an encoded ? behind the dots"),
        ("/public/..%23", "P15: an encoded #"),
        ("/a%zz", "P19: no hex digits"),
        ("/a%", "P19: none at all"),
        ("/a%4", "P19: only one"),
        ("/a%\uff14\uff11", "P19: full-width digits"),
        ("/caf\udce9", "P21: a raw byte"),
        ("/订单", "P21: raw UTF-8"),
        ("", "nothing"),
        ("?x=1", "nothing but a query"),
        ("*", "P18"),
        ("admin/x", "P18: no slash in front"),
        ("good:443", "P18: authority form"),
        ("ftp://good/a", "P17: another scheme"),
        ("/a?b#c", "a fragment behind the query"),
        ("/a?b c", "a space in the query"),
        ("/a?\udce9", "a raw byte in the query"),
    ],
)
def test_an_ambiguous_target_is_refused(target: str, why: str) -> None:
    """Nobody needs these spellings, and two servers read them differently."""
    assert code_of(lambda: parse(target, MAX)) == "target_refused", why


@pytest.mark.parametrize(
    ("target", "oddities", "why"),
    [
        ("//admin/x", {"double_slash"}, "P4"),
        ("///", {"double_slash"}, "P4: nothing but"),
        ("/a//", {"double_slash"}, "P4: at the end"),
        ("/public%2Fadmin", {"encoded_slash"}, "P5"),
        ("/public%2fadmin", {"encoded_slash"}, "P5: in lower case"),
        ("/admin;jsessionid=1/x", {"semicolon"}, "P8"),
        ("/;/admin/x", {"semicolon"}, "P8: in front"),
        ("//a%2f;b", {"double_slash", "encoded_slash", "semicolon"}, "all of them"),
    ],
)
def test_an_oddity_is_named(target: str, oddities: set[Oddity], why: str) -> None:
    """A route must allow it by this name."""
    assert parse(target, MAX).oddities == oddities, why


@pytest.mark.parametrize(
    ("target", "readings", "why"),
    [
        ("/admin/x", set(), "there is only one"),
        ("/a%20b", set(), "a space is a space"),
        ("/a%252Fb", set(), "nobody decodes twice"),
        ("/public//admin", {"/public/admin"}, "merged, as nginx does"),
        ("/p%2Fadmin", {"/p/admin"}, "decoded, as WSGI does"),
        ("/admin;x/y", {"/admin/y"}, "dropped, as Tomcat does"),
        ("/admin%3Bx/y", {"/admin;x/y", "/admin/y"}, "decoded, then dropped"),
        ("/v1/users%3Aexport", {"/v1/users:export"}, "a sub-delimiter means itself to most"),
        ("/admin%3Fx", {"/admin"}, "P15: decoded and taken for a query"),
        ("/admin%23x", {"/admin"}, "P12: or for a fragment"),
        ("/p%C0%AFadmin", {"/p/admin"}, "P7: lax UTF-8"),
        ("/p%C0%AF%C0%AF", {"/p//", "/p/"}, "P7: and merged"),
        ("/%C1%A1dmin", {"/admin"}, "P7: an overlong letter"),
        ("/p%C0%BF", {"/p%3F", "/p"}, "P7: an overlong ?"),
    ],
)
def test_readings_are_what_services_make_of_a_path(
    target: str, readings: set[str], why: str
) -> None:
    """Every step a service may take, in every order, without the path as it is."""
    assert set(parse(target, MAX).readings()) == readings, why


def test_what_the_settings_spell_is_not_in_question() -> None:
    """A route that names `%23` means it: only the rest of the path can be read otherwise."""
    target = parse("/C%23/a%23b", MAX)
    assert set(target.readings(settled=5)) == {"/C%23/a"}


def test_a_path_with_too_many_readings_is_refused() -> None:
    """Nobody but an attacker writes it, and looking at all of them costs time."""
    target = parse("/;bb%2F%2F.x//%3B%C0%BB%2Fa%C0%BF%3F;", MAX)
    assert code_of(lambda: list(target.readings())) == "target_refused"


@given(PATHS)
def test_canonical_is_idempotent(path: str) -> None:
    """A canonical path is its own canonical spelling."""
    assert canonical(canonical(path)) == canonical(path)


@given(st.binary(max_size=20))
def test_canonical_means_the_same_bytes(data: bytes) -> None:
    """However its characters are escaped, a path has one canonical spelling."""
    everything = "/" + "".join(f"%{byte:02x}" for byte in data)
    needed = "/" + quote_from_bytes(data, safe="")
    assert canonical(everything) == canonical(needed)


@given(PATHS)
def test_no_reading_of_a_parsed_target_holds_a_dot_segment(path: str) -> None:
    """Whatever a service decodes, cuts or merges: no way up."""
    readings = attempt(lambda: all_readings(path))
    for reading in [] if isinstance(readings, GatewayError) else readings:
        assert not {".", ".."} & set(reading.split("/"))
        assert not has_dot_segment(reading)


@given(st.text(max_size=30))
def test_rubbish_is_refused_and_never_crashes(text: str) -> None:
    """P20: a target is read, or refused with its code; there is no third way."""
    target = attempt(lambda: parse(text, MAX))
    if isinstance(target, GatewayError):
        assert target.code == "target_refused"
    else:
        assert target.path.startswith("/")
        assert target.raw + ("" if target.query is None else f"?{target.query}") == text


@pytest.mark.parametrize(
    ("target", "query", "why"),
    [
        ("/a?", "", "an empty query is one, too"),
        ("/a?next=/public/", "next=/public/", "P16"),
        ("/a?/public/../x", "/public/../x", "P16: dots in a query are text"),
        ("/a?b;c&d=%26&d=%zz", "b;c&d=%26&d=%zz", "P16: nothing in it is read"),
        ("/public?/../admin/x", "/../admin/x", "P15"),
        ("/a?b?c", "b?c", "only the first ? counts"),
        ("/a?%00", "%00", "encoded controls stay encoded"),
    ],
)
def test_the_query_plays_no_part(target: str, query: str, why: str) -> None:
    """It is kept byte for byte; the path ends before it."""
    read = parse(target, MAX)
    assert read.query == query, why
    assert read.path == target.partition("?")[0], why


def test_the_length_has_a_limit() -> None:
    """P19: `limits.target` bytes are read, one more is 414."""
    assert parse("/" + "a" * 99, 100).raw == "/" + "a" * 99
    assert code_of(lambda: parse("/" + "a" * 100, 100)) == "target_too_long"
    assert code_of(lambda: parse("/?" + "a" * 99, 100)) == "target_too_long"


@pytest.mark.parametrize(
    "unit",
    ["a", "/a", "/.a", "%41", "%e8", "%2f", ";/", "//", "{", "%3B", "/%3B%C0%AF%C0%BBa", "%c0%bf"],
)
def test_no_target_is_slow(unit: str) -> None:
    """8 KiB of anything, ending badly or well, are read in linear time (about a millisecond)."""
    began_s = time.process_time()
    for end in ("", ";", "%", "{", " "):
        path = ("/p/" + unit * MAX)[: MAX - 8].rstrip("%0123456789ABCDEFabcdef") + end
        attempt(partial(all_readings, path))
    assert time.process_time() - began_s < 0.5


# -- strip ----------------------------------------------------------------------------------------


def target_of(path: str) -> Target:
    return parse(path, MAX)


@pytest.mark.parametrize(
    ("path", "rest", "why"),
    [
        ("/api/x", "/x", "the usual"),
        ("/api", "/", "a prefix owns its path without the slash"),
        ("/api/", "/", "and with it"),
        ("/api/api/x", "/api/x", "cut once"),
        ("/api/%e8%ae%a2", "/%e8%ae%a2", "the rest stays raw"),
        ("/api/x//y", "/x//y", "further behind, an allowed oddity passes"),
        ("/api/%20", "/%20", "no slash in any reading"),
    ],
)
def test_strip_cuts_the_literal_prefix(path: str, rest: str, why: str) -> None:
    """The rest is what was received, from the slash on."""
    assert strip(target_of(path), "/api") == rest, why


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/%61pi/x", "R1: the prefix is spelt otherwise"),
        ("/ap%69/x", "R1: at its end"),
        ("/%41pi/x", "R1: another letter altogether"),
        ("/api//x", "R2: two slashes would be left"),
        ("/api//evil.example/x", "R2: the name of another host to some"),
        ("/api/%2fx", "R3: two slashes for who decodes them"),
        ("/api/%2Fevil.example", "R3: in upper case"),
        ("/api%2fx", "R3: the prefix ends in no slash"),
        ("/api/;x/y", "R4: two slashes for who drops parameters"),
        ("/api/%3bx/y", "R4: for who decodes first"),
        ("/api/%c0%afx", "R3: an overlong slash"),
        ("/apix", "R4: no segment's end"),
        ("/other/x", "another prefix"),
        ("/", "nothing to cut"),
    ],
)
def test_strip_refuses_what_leaves_an_odd_rest(path: str, why: str) -> None:
    """What is cut is what was matched, or nothing is."""
    assert code_of(lambda: strip(target_of(path), "/api")) == "target_refused", why


@given(PATHS, st.sampled_from(["/api", "/a", "/a/b.", "/%E8"]), st.booleans())
def test_a_stripped_path_begins_with_exactly_one_slash(
    rest: str, prefix: str, has_prefix: bool
) -> None:
    """R1 to R4: in every reading; and prefix and rest are the path that was received."""
    path = prefix + rest if has_prefix else rest
    stripped = attempt(lambda: strip(target_of(path), prefix))
    if isinstance(stripped, GatewayError):
        assert stripped.code == "target_refused"
        return
    assert stripped[0] == "/"
    assert stripped[1:2] != "/"
    assert path in (prefix + stripped, prefix)
    readings = attempt(lambda: all_readings(stripped))
    assert isinstance(readings, GatewayError) or all(each[:2] != "//" for each in readings)


# -- tickets --------------------------------------------------------------------------------------

QUERY_NAMES = ["gw_ticket", "gw%5Fticket", "%67w_ticke%74", "GW_TICKET", "a", "", "gw_ticket%00"]
PAIRS = st.builds(
    "{}{}".format,
    st.sampled_from(QUERY_NAMES),
    st.sampled_from(["", "=", "=x", "=a=b", "=%zz", "=gw_ticket"]),
)


@pytest.mark.parametrize(
    ("query", "rest", "tickets", "why"),
    [
        ("gw_ticket=t", None, ("t",), "nothing is left, so no `?` either"),
        ("gw_ticket=t&a=b", "a=b", ("t",), "in front"),
        ("a=b&gw_ticket=t&c", "a=b&c", ("t",), "in the middle"),
        ("a=%zz&&b=+&gw_ticket=t", "a=%zz&&b=+", ("t",), "the rest stays byte for byte"),
        ("&gw_ticket=t", "", ("t",), "an empty pair is a rest, too"),
        ("%67w%5fticket=t", None, ("t",), "its name in another spelling"),
        ("gw_ticket=a%2Eb", None, ("a.b",), "its value, too"),
        ("gw_ticket=a=b", None, ("a=b",), "up to the first `=`"),
        ("gw_ticket=", None, (), "an empty one is none, and is cut out all the same"),
        ("gw_ticket", None, (), "so is a bare name"),
        ("gw_ticket=a&gw_ticket=a", None, ("a", "a"), "two are two, also of one spelling"),
        ("%2567w_ticket=t", "%2567w_ticket=t", (), "decoded once, never twice"),
        ("Gw_Ticket=t", "Gw_Ticket=t", (), "names have case"),
        ("a=gw_ticket=t", "a=gw_ticket=t", (), "a value is no name"),
        ("xgw_ticket=t", "xgw_ticket=t", (), "nor is the end of another name"),
        ("a=%26gw_ticket=t", "a=%26gw_ticket=t", (), "an encoded & separates nothing"),
    ],
)
@pytest.mark.parametrize("path", ["/a", "/%61;b", "/" + "a" * MAX_SHORT])
def test_a_ticket_is_cut_out(
    path: str, query: str, rest: str | None, tickets: tuple[str, ...], why: str
) -> None:
    """Whatever the route: no service is told one (design section 4)."""
    read = parse(f"{path}?{query}", MAX)
    assert (read.raw, read.query, read.tickets) == (path, rest, tickets), why


@given(st.lists(PAIRS, max_size=6))
def test_no_ticket_is_left_and_nothing_else_is_lost(pairs: list[str]) -> None:
    """What remains is what was there, in order, less each pair that a service reads as a ticket."""
    read = parse("/a?" + "&".join(pairs), MAX)
    others = [pair for pair in pairs if unquote(pair.partition("=")[0]) != "gw_ticket"]
    if others or not pairs:
        assert read.query == "&".join(others)
    else:
        assert read.query is None
    assert "gw_ticket" not in dict(parse_qsl(read.query or "", keep_blank_values=True))


# -- what is remembered ---------------------------------------------------------------------------


def said(target: str, max_bytes: int = MAX) -> object:
    """What is read, or all that a refusal says."""
    found = attempt(lambda: parse(target, max_bytes))
    return (found.code, found.detail) if isinstance(found, GatewayError) else found


@given(st.lists(PATHS | st.text(max_size=300) | st.just("/a?b"), max_size=6))
def test_what_is_remembered_changes_no_reading(targets: list[str]) -> None:
    """A target read before is read as if it were new."""
    for target in targets * 2:
        again = said(target)
        _parse_short.cache_clear()
        assert said(target) == again


def test_a_limit_holds_for_what_is_remembered() -> None:
    """Another listener may have another one."""
    assert isinstance(said("/abcdef"), Target)
    refused = said("/abcdef", max_bytes=6)
    assert refused == ("target_too_long", "the target is longer than 6 bytes")
    assert isinstance(said("/abcdef", max_bytes=7), Target)


def test_targets_do_not_fill_memory() -> None:
    """Few are remembered, and no long one; refusals are not."""
    _parse_short.cache_clear()
    for number in range(3000):
        parse(f"/{number}", MAX)
    kept = _parse_short.cache_info()
    assert kept.currsize == kept.maxsize == 2048
    _parse_short.cache_clear()
    assert parse("/" + "a" * MAX_SHORT, MAX).is_plain
    assert isinstance(said("/.."), tuple)
    assert _parse_short.cache_info().currsize == 0
