"""Secrets in files and in the environment, and files to answer with."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from gateway.loader.references import MAX_SECRET_BYTES, References
from gateway.loader.tree import Tree
from gateway.settings.routes import ReadFile


def resolve(base: Path, raw: dict[str, object], **environ: str) -> tuple[Tree, list[str]]:
    """Resolve the references of a tree."""
    tree = Tree(raw=raw)
    references = References(tree, base, environ)
    references.resolve()
    return tree, references.warnings


def secret_of(base: Path, secret: object, **environ: str) -> tuple[object, str | None]:
    """Resolve one app's secret: its value, and what was found wrong."""
    tree, _ = resolve(base, {"apps": {"a": {"secret": secret}}}, **environ)
    apps = tree.raw["apps"]
    assert isinstance(apps, dict)
    found = tree.findings[0].found if tree.findings else None
    return apps["a"]["secret"], found


def write(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a secret file."""
    path.write_bytes(content)
    path.chmod(mode)


@pytest.mark.parametrize(
    ("content", "secret"),
    [(b"s3", "s3"), (b"s3\n", "s3"), (b"s3\r\n", "s3"), (b" s3 ", " s3 "), (b"a\nb\n", "a\nb")],
)
def test_a_secret_file_loses_the_line_feed_at_its_end(
    tmp_path: Path, content: bytes, secret: str
) -> None:
    """Editors put one there; nothing else is touched. The path counts from the settings file."""
    write(tmp_path / "s", content)
    assert secret_of(tmp_path, {"file": "s"}) == (SecretStr(secret), None)


def test_a_secret_may_stand_in_a_variable(tmp_path: Path) -> None:
    """And what it holds is not expanded again."""
    assert secret_of(tmp_path, {"env": "S"}, S="${X}") == (SecretStr("${X}"), None)


def test_lists_of_secrets_are_read_too(tmp_path: Path) -> None:
    """Keys, each by itself; so is the store's address."""
    raw: dict[str, object] = {
        "session": {"signing_keys": [{"env": "K"}, "k"], "store": {"env": "S"}}
    }
    tree, _ = resolve(tmp_path, raw, K="key", S="redis://r")
    assert tree.raw == {
        "session": {"signing_keys": [SecretStr("key"), "k"], "store": SecretStr("redis://r")}
    }


@pytest.mark.parametrize(
    ("secret", "found", "why"),
    [
        ({"file": "missing"}, "No such file", "no file"),
        ({"file": "empty"}, "which is empty", "only a line feed"),
        ({"file": "large"}, "which is larger", "over 64 KiB"),
        ({"file": "binary"}, "which is not UTF-8", "no text"),
        ({"file": "."}, "which is none", "a folder"),
        ({"file": ""}, "a reference", "no path"),
        ({"file": 5}, "a reference", "a number"),
        ({"env": "MISSING"}, "the variable MISSING, which is not set", "not set"),
        ({"env": "EMPTY"}, "the variable EMPTY, which is empty", "empty"),
        ({"env": "BAD"}, "which is not UTF-8", "bytes that are not UTF-8"),
        ({"file": "s", "env": "S"}, "a reference", "two references"),
        ({}, "a reference", "none"),
        ({"value": "hunter2"}, "a reference with an unknown key", "an unknown key"),
        ({"hunter2": None}, "a reference with an unknown key", "the secret as a key"),
    ],
)
def test_a_reference_that_leads_nowhere_is_found(
    tmp_path: Path, secret: object, found: str, why: str
) -> None:
    """The secret itself is not shown, nor taken for missing as well."""
    write(tmp_path / "empty", b"\n")
    write(tmp_path / "large", b"x" * (MAX_SECRET_BYTES + 1))
    write(tmp_path / "binary", b"\xff")
    write(tmp_path / "s", b"x")
    value, told = secret_of(tmp_path, secret, EMPTY="", BAD="\udcff", S="x")
    assert value is None
    assert told is not None
    assert found in told, why
    assert "hunter2" not in told


def test_a_secret_file_for_everybody_is_warned_of(tmp_path: Path) -> None:
    """So is the private key of a certificate; the certificate itself may be read."""
    for name in ("s", "cert", "key"):
        write(tmp_path / name, b"x", 0o644)
    raw: dict[str, object] = {
        "apps": {"a": {"secret": {"file": "s"}}},
        "upstreams": {"u": {"tls": {"cert": "cert", "key": "key"}}},
    }
    assert resolve(tmp_path, raw)[1] == [
        "apps.a.secret: everybody on this machine can read s",
        "upstreams.u.tls.key: everybody on this machine can read key",
    ]


def test_a_file_to_answer_with_is_read(tmp_path: Path) -> None:
    """At most 1 MiB, as it is."""
    write(tmp_path / "a.txt", b"\xff\n")
    raw: dict[str, object] = {"routes": [{"respond": {"file": "a.txt"}}]}
    tree, _ = resolve(tmp_path, raw)
    assert tree.raw == {"routes": [{"respond": {"file": ReadFile(tmp_path / "a.txt", b"\xff\n")}}]}


def test_missing_files_are_found(tmp_path: Path) -> None:
    """Certificates and files to answer with, each at its place."""
    raw: dict[str, object] = {
        "routes": [{"respond": {"file": "missing"}}],
        "upstreams": {"u": {"tls": {"ca": "missing", "key": "missing"}}},
    }
    assert [finding.loc for finding in resolve(tmp_path, raw)[0].findings] == [
        ("routes", 0, "respond", "file"),
        ("upstreams", "u", "tls", "ca"),
        ("upstreams", "u", "tls", "key"),
    ]
