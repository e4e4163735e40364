"""What the image installs: pinned with hashes, within the project's bounds, and nothing besides."""

import re
import tomllib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.commands import TOP

IMAGE_PYTHON = {"python_version": "3.13", "python_full_version": "3.13.0", "extra": ""}
_PIN = re.compile(
    r"^([a-z0-9-]+)==(\S+)(?: ; (.+?))? \\$((?:\n    --hash=sha256:[0-9a-f]{64}\b.*)+)",
    re.MULTILINE,
)


def pins(name: str) -> Mapping[str, str]:
    """Versions by package, as the image's Python on Linux takes them."""
    found: dict[str, str] = {}
    for package, version, marker, _ in _PIN.findall((TOP / name).read_text()):
        one = Requirement(f"{package}=={version}" + (f" ; {marker}" if marker else ""))
        if one.marker is None or one.marker.evaluate(dict(IMAGE_PYTHON)):
            assert package not in found
            found[package] = version
    return found


PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())
LOCKS = {
    "requirements.lock": PROJECT["project"]["dependencies"],
    "requirements-build.lock": PROJECT["build-system"]["requires"],
}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_keeps_the_projects_bounds(name: str) -> None:
    """Whoever raises a bound runs `make lock`."""
    locked = pins(name)
    for one in map(Requirement, LOCKS[name]):
        version = locked[canonicalize_name(one.name)]
        assert one.specifier.contains(version), f"{one} is locked at {version}: run `make lock`"


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_is_whole(name: str) -> None:
    """With `--require-hashes` pip refuses what is needed but not pinned."""
    locked = pins(name)
    for package in locked:
        for one in map(Requirement, _requires(package)):
            if one.marker is None or one.marker.evaluate(dict(IMAGE_PYTHON)):
                assert canonicalize_name(one.name) in locked, f"{package} needs {one}"


def _requires(package: str) -> list[str]:
    """What a package needs, where it is installed here."""
    try:
        return requires(package) or []
    except PackageNotFoundError:
        return []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_says_what_and_not_from_where(name: str) -> None:
    """Every line is a pin, a hash or a remark; where packages come from is the builder's choice."""
    text = (TOP / name).read_text()
    shapes = re.compile(r"#.*|\s+#.*|[a-z0-9-]+==.*\\|    --hash=sha256:[0-9a-f]{64}( \\)?|")
    assert [line for line in text.splitlines() if not shapes.fullmatch(line)] == []
    assert "://" not in text
    assert len(_PIN.findall(text)) == text.count("==") - text.count(" == ")


def test_the_image_installs_only_what_is_pinned() -> None:
    """Each `pip install` in the Dockerfile asks for hashes, or for nothing but our own wheel."""
    text = (TOP / "Dockerfile").read_text().replace("\\\n", " ")
    installs = re.findall(r"pip install[^&\n]*", text)
    assert len(installs) == 3
    for each in installs:
        assert "--require-hashes" in each or ("--no-deps" in each and "--no-index" in each)
    ignored = (TOP / ".dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    for name in " ".join(copied).split():
        assert f"!{name}" in ignored
