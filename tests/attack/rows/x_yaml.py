"""X3: hostile YAML in settings that are good beside it, where a plain value would be taken."""

from collections.abc import Iterator

from tests.attack.model import Check, Entry, Proven
from tests.attack.rows.x_reading import GOOD, TARGET, refused, said, taken
from tests.attack.stage import Stage

_SECRET = "a-secret-of-nobody"
_TOP = "(top level)"
_TARGETS = "upstreams.main.targets"
_NINE = ", ".join([TARGET] * 9)
_BOMB = ", ".join(
    [f"&a0 [{_NINE}]"] + [f"&a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
)
_TAGS = (
    *("!!python/object/apply:os.system [echo evil]", "!!python/name:os.system info"),
    *("!!python/object/new:os.system [evil]", "!!python/object:os.evil {}"),
    *(
        "!!python/module:os info",
        "!!python/str info",
        "!!binary ZXZpbA==",
        "!!timestamp 2001-01-01",
    ),
)
_OWN_TAGS = ("!evil info", "!<!evil> info", "!<tag:evil.example,2000:x> info")


_MERGED = GOOD.replace("main: {", "main: &m {").replace(
    "]}}", f"]}}, other: {{<<: *m, targets: [{TARGET}]}}}}"
)


def _level(value: str) -> str:
    """Settings with this as the level of the log; `info` would be taken."""
    return f"{GOOD}logs: {{level: {value}}}\n"


def _listed(value: str) -> str:
    """Settings with this instead of the list of targets."""
    return GOOD.replace(f"[{TARGET}]", value)


_YAML: tuple[tuple[str, str | bytes, str, str], ...] = (
    *((f"the tag {tag}", _level(tag), "logs.level", "the tag 'tag:yaml") for tag in _TAGS),
    *((f"the tag {tag}", _level(tag), "logs.level", "found a tag") for tag in _OWN_TAGS),
    ("a tag by a directive", "%TAG ! tag:yaml.org,2002:python/\n---" + _level("!name:os.evil x"),
     "logs.level", "the tag 'tag:yaml"),
    ("a tuple", _listed(f"!!python/tuple [{TARGET}]"), _TARGETS, "the tag 'tag:yaml"),
    ("a set", _listed(f"!!set {{'{TARGET}': null}}"), _TARGETS, "the tag 'tag:yaml"),
    ("an ordered map", GOOD.replace("apps: {shop:", "apps: !!omap [shop:").replace("dy}}", "dy}]"),
     "apps", "the tag 'tag:yaml"),
    ("a number's tag before text", _level("!!int info"), "logs.level", "the tag 'tag:yaml"),
    ("a merge key", _MERGED, "upstreams.other.<<", "a merge key"),
    ("a key twice", GOOD + "environment: production\n", "environment", "'environment' again"),
    ("a key twice, deep", _level("info, level: debug"), "logs.level", "'level' again"),
    ("a key twice, spelt differently", GOOD + '"environ\\u006dent": production\n',
     "environment", "'environment' again"),
    ("an app twice", GOOD.replace("dy}}", "dy}, shop: {}}"), "apps.shop", "'shop' again"),
    ("an alias bomb", _listed(f"[{_BOMB}]"), _TOP, "too many values"),
    ("an alias of itself", _listed("&x [*x]"), _TOP, "nested too deeply"),
    ("10,000 brackets", _listed("[" * 10_000), _TOP, "nested too deeply"),
    ("10,000 brackets, closed", _listed("[" * 10_000 + "]" * 10_000), _TOP, "nested too deeply"),
    ("10,000 braces", _level("{a: " * 10_000), _TOP, "nested too deeply"),
    ("an alias of nothing", _level("*nothing"), _TOP, "undefined alias"),
    ("two documents", GOOD + "---\n" + GOOD, _TOP, "another document"),
    ("a key that is a list", GOOD.replace("apps: {", "apps: {[a]: b, "), "apps", "is not text"),
    ("a key that is a mapping", _level("info, ? {a: b} : c"), "logs", "is not text"),
    ("a NUL", GOOD.replace(_SECRET, f'"{_SECRET}\0"'), _TOP, "a character YAML does not allow"),
    ("an escape", GOOD.replace(_SECRET, f'"{_SECRET}\x1b"'), _TOP, "a character YAML"),
    ("a character beyond Unicode", GOOD.replace(_SECRET, '"\\UFFFFFFFF"'), _TOP,
     "a character YAML"),
    ("no UTF-8", GOOD.encode().replace(b"nobody", b"nobody\xff"), _TOP, "UTF-8"),
    ("UTF-8 too long", GOOD.encode().replace(b"nobody", b"nobody\xc0\xaf"), _TOP, "UTF-8"),
    ("a surrogate in UTF-8", GOOD.encode().replace(b"nobody", b"\xed\xa0\x80"), _TOP, "UTF-8"),
    ("a lone surrogate", GOOD.replace(_SECRET, f'"{_SECRET}\\ud800"'), "apps.shop.secret",
     "a lone surrogate"),
    ("an unknown key", GOOD + "enviroment: production\n", "enviroment", "the unknown key"),
    ("an unknown key in an app", GOOD.replace("platform: wechat", "platform: wechat, evil: 1"),
     "apps.shop.evil", "the unknown key"),
    ("a secret that is a number", GOOD.replace(_SECRET, "12345"), "apps.shop.secret",
     "a secret of 5 characters"),
    ("a list at the top", "[]", _TOP, "an empty list"),
    ("text at the top", '"evil"', _TOP, "'evil'"),
    ("2 MiB", GOOD + "#" * 2 * 1024**2, _TOP, "which is larger"),
)  # fmt: skip


def _expanded_once(_stage: Stage) -> list[str]:
    """What a variable holds is not read again, and does not become structure."""
    environ = {
        "OUTER": "${INNER}",
        "INNER": "never-read-again-from-here-on",
        "BREAK": "x]}\nenvironment: production\n#",
    }
    amiss = []
    words, is_taken = said(GOOD.replace(TARGET, '"${OUTER}"'), environ)
    if is_taken or "never-read-again" in words or f"{_TARGETS}[0]" not in words:
        amiss.append("a variable's content is expanded again")
    text = GOOD.replace(_SECRET, '"${BREAK}"') + "server: {listen: '127.0.0.1:0'}\n"
    _, is_taken = said(text, environ)
    return amiss if is_taken else [*amiss, "a variable's content became structure"]


def entries() -> Iterator[Entry]:
    """List this row."""
    yield Check(row="X3", title="good settings, to compare", run=taken(GOOD))
    yield Check(row="X3", title="a level, to compare", run=taken(_level("info")))
    whole = GOOD.replace("main: {", "main: &m {").replace("]}}", "]}, other: *m}")
    whole = whole.replace("upstream: main}", "upstream: main}, {path: /b/, upstream: other}")
    yield Check(row="X3", title="an alias for a whole value, to compare", run=taken(whole))
    given = GOOD.replace(TARGET, '"${PLAIN}"')
    plain = taken(given, {"PLAIN": TARGET})
    yield Check(row="X3", title="a variable, to compare", run=plain)
    for title, text, place, found in _YAML:
        yield Check(row="X3", title=title, run=refused(text, place, found))
    yield Check(row="X3", title="variables are expanded once", run=_expanded_once)
    yield Proven(
        row="X3",
        title="any text is read or refused; secret files are bounded and looked at",
        tests=(
            "tests/loader/test_tree.py",
            "tests/loader/test_environment.py",
            "tests/loader/test_files.py",
            "tests/loader/test_references.py",
        ),
    )
