"""YAML as plain data, with lines."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.loader.tree import Reader, Tree, TreeError
from gateway.settings.findings import Loc
from gateway.settings.scalars import Expanded


def read(text: str, **environ: str) -> tuple[object, Tree]:
    """Read a YAML text."""
    tree = Tree()
    return Reader(tree, "g.yaml", environ).read(text), tree


def only_finding(text: str, **environ: str) -> tuple[Loc, int | None, str]:
    """Read a YAML text with one problem: its place, its line and what was found."""
    _, tree = read(text, **environ)
    [finding] = tree.findings
    assert finding.origin is not None
    return finding.loc, finding.origin.line, finding.found or ""


def test_scalars_follow_the_core_schema() -> None:
    """Quoted ones stay text."""
    data, _ = read("{a: 1, b: '1', c: off, d: true, e: , f: 1.5, g: 0o7, h: \"null\"}")
    assert data == {
        "a": 1,
        "b": "1",
        "c": "off",
        "d": True,
        "e": None,
        "f": 1.5,
        "g": "0o7",
        "h": "null",
    }


def test_a_standard_tag_is_taken_where_it_fits() -> None:
    """!!str keeps digits as text."""
    assert read("[!!str 5, !!int 5, !!bool true, !!null ~]")[0] == ["5", 5, True, None]


def test_a_plain_scalar_from_the_environment_may_be_a_number() -> None:
    """A quoted one is text for ever; an empty plain one is nothing."""
    data, _ = read("- ${N}\n- '${N}'\n- ${N:-}x\n- ${E}\n- ${T}", N="5", E="", T="text")
    assert data == ["5", "5", "5x", None, "text"]
    assert isinstance(data, list)
    assert [type(value) for value in data[:2]] == [Expanded, str]


def test_every_value_knows_its_line() -> None:
    """A mapping stands where its key stands, and so does what is missing in it."""
    _, tree = read("# note\na:\n  b: 1\n  c:\n    - x\n    - y: z\n")
    lines = {
        loc: tree.locate(loc).line
        for loc in [(), ("a",), ("a", "b"), ("a", "c"), ("a", "c", 0), ("a", "c", 1, "y")]
    }
    assert list(lines.values()) == [2, 2, 3, 4, 5, 6]
    assert tree.locate(("a", "missing", "deep")).line == 2
    assert tree.locate(("other",)).line == 2
    assert Tree().locate(("a",)).line is None


def test_a_value_from_the_environment_knows_how_it_was_written() -> None:
    """Reports show this, not the value; what stands below has none."""
    _, tree = read("a: x${N}", N="secret")
    assert tree.locate(("a",)).written == "x${N}"
    assert tree.locate(("a", "b")).written is None


@pytest.mark.parametrize(
    ("text", "expected", "why"),
    [
        ("a: 1\nb: 2\na: 3", (("a",), 3, "the key 'a' again (first on line 1)"), "a duplicate"),
        ("x: {b: 1, 'b': 2}", (("x", "b"), 1, "the key 'b' again (first on line 1)"), "in flow"),
        ("a: !!python/object:os.system {}", (("a",), 1, "the tag"), "an object of Python"),
        ("a: !!python/name:os.system", (("a",), 1, "the tag"), "a name of Python"),
        ("a: !!binary aGk=", (("a",), 1, "the tag"), "bytes"),
        ("a: !!set {b}", (("a",), 1, "the tag"), "a set"),
        ("a: !!int x", (("a",), 1, "the tag"), "a tag that does not fit"),
        ("\na: !mine x", (("a",), 2, "a tag"), "a tag of one's own"),
        ("d: &d {a: 1}\ne:\n  <<: *d", (("e", "<<"), 3, "a merge key"), "a merge key"),
        ("[a]: 1", ((), 1, "a key that is not text"), "a list as a key"),
        ("!!int 5: 1", ((), 1, "a key that is not text"), "a number as a key"),
        ('a: "\\ud800"', (("a",), 1, "a lone surrogate"), "text nobody can write"),
        ('"\\ud800": 1', ((), 1, "a key with a lone surrogate"), "the same in a key"),
        ("a:\n  - ${MISSING}", (("a", 0), 2, "${MISSING}, which is not set"), "a variable"),
    ],
)
def test_what_cannot_be_read_is_found_with_its_line(
    text: str, expected: tuple[Loc, int, str], why: str
) -> None:
    """The rest of the file is read all the same."""
    loc, line, found = only_finding(text)
    assert (loc, line) == expected[:2], why
    assert found.startswith(expected[2]), why


def test_the_first_of_two_keys_is_read() -> None:
    """So that its mistakes are told as well."""
    assert read("a: 1\na: 2")[0] == {"a": 1}


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("a: [1", 1, "no end"),
        ("a: 1\n\tb: 2", 2, "a tab"),
        ("a: *b", 1, "an alias of nothing"),
        ("a: 1\n---\nb: 2", 2, "two documents"),
        ("a: b: c", 1, "two colons"),
        ('a: "\\UFFFFFFFF"', None, "a character that is none"),
        ("a: \x00", None, "a control character"),
        ("[" * 5000, None, "nested without end"),
        ("&a [*a]", None, "an alias of itself"),
    ],
)
def test_a_broken_file_has_one_problem(text: str, line: int | None, why: str) -> None:
    """Nothing else can be known of it."""
    with pytest.raises(TreeError) as caught:
        read(text)
    assert caught.value.line == line, why


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("a: 1\n\tb: 2", 2, "a line that begins with one"),
        ("a:\n  b: 1\n \tc: 2", 3, "one behind a space"),
        ("a:\tb", 1, "one behind a colon"),
        ("a: |\n\ttext", 2, "one in a block of text"),
        ("\ufeffa:\n\tb: 1", 2, "behind a byte order mark"),
    ],
)
def test_a_tab_is_named(text: str, line: int, why: str) -> None:
    """An operator cannot see it; what to write instead is told."""
    with pytest.raises(TreeError) as caught:
        read(text)
    assert (caught.value.found, caught.value.line) == ("a tab", line), why
    assert caught.value.allowed.startswith("spaces: indent with them")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: %x", "character '%' that cannot start any token"),
        ("a: *bc", "undefined alias …"),
        ("a: 1\n---\nb: 2", "another document"),
        ("a: b: c", "broken YAML: mapping values are not allowed here"),
    ],
)
def test_the_parser_s_words_follow_found(text: str, found: str) -> None:
    """The report begins with "found": it does not stand there twice."""
    with pytest.raises(TreeError) as caught:
        read(text)
    assert caught.value.found == found


def test_an_alias_bomb_is_bounded() -> None:
    """Ten lines do not become a billion values (attacks.md X3)."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(TreeError, match="too many values"):
        read("\n".join(lines))


def test_an_alias_of_a_whole_value_is_taken() -> None:
    """Within the bound it is the way to repeat settings."""
    assert read("a: &t {b: 1}\nc: *t")[0] == {"a": {"b": 1}, "c": {"b": 1}}


@pytest.mark.parametrize("text", ["a: *hunter2", "a: &hunter2 *hunter2", "a: !hunter2 b"])
def test_what_looks_like_syntax_is_not_shown(text: str) -> None:
    """A secret may begin with a sign that means something to YAML."""
    try:
        shown = only_finding(text)[2]
    except TreeError as error:
        shown = f"{error.found} {error.allowed}"
    assert "hunter2" not in shown


_LINES = st.lists(
    st.sampled_from(
        (
            "a:",
            "a: 1",
            "  - b",
            "- c",
            "? x",
            ": y",
            "&a",
            "*a",
            "<<: *a",
            "!!int",
            "{",
            "]",
            "|",
            ">-",
        )
    )
    | st.text(max_size=6),
    max_size=8,
)


@given(_LINES.map("\n".join) | st.text(max_size=40))
def test_no_text_fails_in_another_way(text: str) -> None:
    """Whatever is in the file, it is read or refused."""
    with contextlib.suppress(TreeError):
        read(text)
