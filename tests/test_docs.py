"""The documents say what is true: names, defaults, paths, commands, and both languages the same."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

import pytest

from gateway import __version__
from gateway.cli import main
from gateway.dev import banner
from gateway.errors import OUTCOMES
from gateway.identity import identity_lines
from gateway.loader import load
from gateway.sessions.model import Session, Subject

TOP = Path(__file__).parents[1]
ENGLISH = (TOP / "README.md").read_text()
CHINESE = (TOP / "README.zh-CN.md").read_text()
READMES = pytest.mark.parametrize("readme", [ENGLISH, CHINESE], ids=["english", "chinese"])
PAGES = [*sorted(TOP.glob("*.md")), *sorted((TOP / "docs").glob("*.md")), TOP / "changes/README.md"]
MADE_UP = {
    "GATEWAY_SIGNING_KEY": "kq3v9TzBw7Ym2Xc8Rn5Lf1Hs6Jd4Gp0A",
    "GATEWAY_ENCRYPTION_KEY": "SBaPqZy34BTnfb9K95/FsqUMqsjoIIg+pzJviLxxOsk=",
    "GATEWAY_ADMIN_TOKEN": "vT4nQ8wZ2cR6yL1p",
    "REDIS_PASSWORD": "made-up",
    "WECHAT_APP_SECRET": "made-up",
}


def blocks(page: str, language: str = r"\w+") -> list[str]:
    """Cut the fenced blocks of one language out of a page, with their fences."""
    return re.findall(rf"^```{language}\n.*?^```$", page, re.MULTILINE | re.DOTALL)


def without_blocks(page: str) -> str:
    """The page's prose."""
    return re.sub(r"^```\w+\n.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)


def first_cells(page: str) -> list[str]:
    """The first cell of each row that begins with a name in backticks."""
    return re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)


def section(page: str, number: int) -> str:
    """A section of the second level; both languages have them in one order."""
    return page.split("\n## ")[number]


NOT_YET = next(
    number for number, part in enumerate(ENGLISH.split("\n## ")) if part.startswith("Not yet")
)

# -- errors, settings, dependencies, the request's path -------------------------------------------


def test_every_error_is_told_with_its_status() -> None:
    """docs/errors.md has one row for each code, and none besides."""
    page = (TOP / "docs/errors.md").read_text().partition("## The codes")[2]
    told = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", page, re.MULTILINE))
    assert told == {code: str(outcome.status) for code, outcome in OUTCOMES.items()}


@READMES
def test_a_readme_leads_to_the_errors_and_the_settings(readme: str) -> None:
    """The lists stand there, not in the READMEs."""
    for page in ("docs/errors.md", "docs/settings.md", "docs/request.md", "docs/dependencies.md"):
        assert f"]({page})" in readme


def test_every_setting_of_the_published_schema_is_told() -> None:
    """Each path that an editor knows stands in docs/settings.md, and none besides."""
    made = json.loads((TOP / "docs/gateway.schema.json").read_text())
    told = first_cells((TOP / "docs/settings.md").read_text())
    leaves = {path for path, is_leaf in _paths(made, made["$defs"]) if is_leaf}
    everything = {path for path, _ in _paths(made, made["$defs"])}
    assert leaves <= set(told) <= everything
    assert len(told) == len(set(told))


_Node = Mapping[str, object]


def _paths(node: object, definitions: _Node, path: str = "") -> Iterator[tuple[str, bool]]:
    """Walk a schema: every path of a key, and whether it holds no keys of its own."""
    for mark, part in _parts(node, definitions):
        properties = part.get("properties")
        for name, below in properties.items() if isinstance(properties, dict) else ():
            written = f"{path}{mark}.{name}".lstrip(".")
            deeper = list(_paths(below, definitions, written))
            yield written, not deeper
            yield from deeper


def _parts(node: object, definitions: _Node) -> Iterator[tuple[str, _Node]]:
    """Find the mappings of settings behind a node; a reference to a secret is none."""
    match node:
        case {"$ref": str() as address}:
            yield from _parts(definitions[address.rpartition("/")[2]], definitions)
        case {"properties": {"file": _, **others}} | {"properties": {"env": _, **others}} if (
            not others
        ):
            return
        case {"properties": dict() as properties}:
            yield "", {"properties": properties}
        case {"patternProperties": dict() as names}:
            yield from ((".<name>", part) for _, part in _parts([*names.values()], definitions))
        case {"items": item}:
            yield from (("[]", part) for _, part in _parts(item, definitions))
        case {"anyOf": list() as members} | (list() as members):
            for member in members:
                yield from _parts(member, definitions)


def test_every_dependency_has_its_reason() -> None:
    """docs/dependencies.md has one line for each name in pyproject.toml, and none besides."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text())
    groups = project["dependency-groups"].values()
    wanted = [*project["project"]["dependencies"], *(one for group in groups for one in group)]
    page = (TOP / "docs/dependencies.md").read_text()
    told = re.findall(r"^\| (\w[\w-]*) \| \S.*\S \| \S.*\S \|$", page, re.MULTILINE)
    names = [re.split(r"[\[><=~!]", one)[0] for one in wanted]
    assert [name for name in told if name != "package"] == names


def _is_module(parts: list[str]) -> bool:
    path = TOP.joinpath(*parts)
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


STEPS = sorted(set(re.findall(r"`(gateway\.[\w.]+)`", (TOP / "docs/request.md").read_text())))


@pytest.mark.parametrize("name", STEPS)
def test_every_step_of_the_request_names_what_exists(name: str) -> None:
    """Each name in docs/request.md can be imported, or found in what is imported."""
    parts = name.split(".")
    length = max(n for n in range(1, len(parts) + 1) if _is_module(parts[:n]))
    found: object = import_module(".".join(parts[:length]))
    for attribute in parts[length:]:
        found = getattr(found, attribute)


# -- the READMEs ----------------------------------------------------------------------------------


def test_both_languages_have_the_same_shape() -> None:
    """Headings of the same levels in the same order, and the same blocks of code."""
    levels = [re.findall("^#+", without_blocks(page), re.MULTILINE) for page in (ENGLISH, CHINESE)]
    assert levels[0] == levels[1]
    assert blocks(ENGLISH) == blocks(CHINESE)
    assert first_cells(ENGLISH) == first_cells(CHINESE)


@pytest.mark.parametrize("block", blocks(ENGLISH, "yaml"))
def test_a_readme_s_settings_load(block: str, tmp_path: Path) -> None:
    """For production, without a warning; values from outside are made up."""
    secret = tmp_path / "douyin_app_secret"
    secret.write_text("made-up\n")
    secret.chmod(0o600)
    path = tmp_path / "gateway.yaml"
    text = block.removeprefix("```yaml\n").removesuffix("```")
    path.write_text(text.replace("/etc/gateway/secrets/", f"{tmp_path}/"))
    loaded = load(path, MADE_UP)
    assert loaded.settings.environment == "production"
    assert loaded.warnings == ()


def test_there_are_settings_to_check() -> None:
    """The table above is not empty by accident."""
    assert blocks(ENGLISH, "yaml")


def test_the_first_lines_to_paste_are_those_of_the_banner(tmp_path: Path) -> None:
    """`make run` prints what the README shows."""
    copy = tmp_path / "gateway.yaml"
    copy.write_bytes((TOP / "gateway.yaml").read_bytes())
    printed = banner(load(copy, {}).settings, "http://127.0.0.1:8090")
    shown = blocks(ENGLISH, "sh")[1].removeprefix("```sh\n").removesuffix("```")
    assert shown in printed


@READMES
def test_a_readme_names_the_commands_there_are(readme: str) -> None:
    """All of them; and none that is not built, but under "Not yet"."""
    later = section(readme, NOT_YET)
    named = set(re.findall(r"(?:`|^)gateway ([a-z]+)", readme.replace(later, ""), re.MULTILINE))
    assert named == set(main.commands)
    assert not set(re.findall("`gateway ([a-z]+)", later)) & set(main.commands)


@READMES
def test_a_readme_names_targets_that_make_has(readme: str) -> None:
    """What a reader is told to type exists."""
    targets = set(re.findall("^([a-z]+):", (TOP / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z]+)(?=`|\s)", readme, re.MULTILINE))
    assert {"run", "test", "check", "bench", "help"} <= named <= targets


@READMES
def test_a_readme_names_the_own_endpoints(readme: str, tmp_path: Path) -> None:
    """At their default paths."""
    path = tmp_path / "gateway.yaml"
    path.write_text("environment: development\n")
    own = load(path, {}).settings.endpoints
    for each in [*(own.login or ()), own.logout, own.session]:
        assert f" {each}" in readme


@READMES
def test_a_readme_names_the_identity_headers(readme: str) -> None:
    """All that a service may get, but the user id that no login sets yet."""
    subject = Subject("douyin", "tt1", "user", "o1")
    session = Session("k" * 43, subject, "shop", "o1", "u1", "a1", 1, 2, 1)
    names = [line.partition(": ")[0] for line in identity_lines(session).splitlines()]
    assert len(names) == 7
    for name in names:
        assert f"`{name}`" in readme


# -- all pages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Links inside the repository name files that are there."""
    for link in re.findall(r"\]\(([^)#:\s]+)\)", without_blocks(page.read_text())):
        assert (page.parent / link).exists(), link


def test_the_change_log_knows_this_version() -> None:
    """The newest section is the package's version."""
    page = (TOP / "CHANGELOG.md").read_text()
    assert re.findall(r"^## (\S+)", page, re.MULTILINE)[0] == __version__
    project = tomllib.loads((TOP / "pyproject.toml").read_text())
    assert project["project"]["version"] == __version__


def test_fragments_are_named_by_their_kind() -> None:
    """As changes/README.md says."""
    kinds = "added|changed|fixed|removed|security"
    names = [path.name for path in (TOP / "changes").iterdir() if path.name != "README.md"]
    assert [name for name in names if not re.fullmatch(rf"[a-z0-9-]+\.({kinds})\.md", name)] == []


# Of the repository's own files, none ends otherwise; data and caches are no part of it.
_TEXT = {".py", ".md", ".yaml", ".toml", ".json", ".js", ".env", ".go", ".mod", ".lua", ""}
_ELSEWHERE = re.compile(
    # A folder of somebody's machine; and hosts of package registries, public or private.
    r"(?<![\w./<>-])/(?:work|root|home)/"
    r"|\b(?:pypi|npmjs|rubygems)\.[a-z]|\bproxy\.golang\b|\bindex-url\b|\bextra-index\b"
)


def _own_files() -> Iterator[Path]:
    folders = ("gateway", "tests", "bench", "config", "docs", "changes", "clients", ".ci")
    yield from (path for path in TOP.iterdir() if path.is_file())
    for folder in folders:
        for path in (TOP / folder).rglob("*"):
            hidden = any(part.startswith(".") for part in path.relative_to(TOP / folder).parts)
            if path.is_file() and not hidden and "__pycache__" not in path.parts:
                yield path


def test_no_file_names_a_machine_or_a_registry() -> None:
    """The repository works anywhere."""
    found = [
        f"{path.relative_to(TOP)}: {line.strip()}"
        for path in _own_files()
        if path.suffix in _TEXT and path.name != ".coverage" and path != Path(__file__)
        for line in path.read_text(errors="replace").splitlines()
        if _ELSEWHERE.search(line)
    ]
    assert found == []
