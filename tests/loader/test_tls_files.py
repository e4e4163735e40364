"""What the TLS files of services hold."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from gateway.loader.tls_files import check_tls_files
from tests.support.authority import Authority

PEM = serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of all sorts: two certificates with their keys, an authority, and rubbish."""
    authority = Authority(tmp_path, "ca")
    authority.issue("ours")
    theirs = authority.issue("theirs")
    key = serialization.load_pem_private_key(theirs.key.read_bytes(), None)
    locked = key.private_bytes(PEM, PKCS8, serialization.BestAvailableEncryption(b"hunter2"))
    (tmp_path / "locked.key").write_bytes(locked)
    (tmp_path / "rubbish").write_text("hunter2")
    (tmp_path / "empty").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("tls", "key", "why"),
    [
        ({"ca": "ca.pem", "cert": "ours.crt", "key": "ours.key"}, None, "good ones"),
        ({"ca": "ca.pem"}, None, "an authority alone"),
        ({"server_name": "a.b"}, None, "no file"),
        ({"ca": "rubbish"}, "ca", "no certificate"),
        ({"ca": "empty"}, "ca", "nothing"),
        ({"ca": "ours.key"}, "ca", "a key instead"),
        ({"ca": "missing"}, "ca", "a file that went away since"),
        ({"cert": "rubbish", "key": "ours.key"}, "cert", "no certificate of ours"),
        ({"cert": "ours.key", "key": "ours.crt"}, "cert", "the two exchanged"),
        ({"cert": "ours.crt", "key": "rubbish"}, "key", "no key"),
        ({"cert": "ours.crt", "key": "theirs.key"}, "key", "the key of another"),
        ({"cert": "theirs.crt", "key": "locked.key"}, "key", "a key nobody can open unasked"),
        ({"cert": "rubbish"}, "cert", "no certificate, and no key"),
        ({"ca": None, "cert": 5, "key": ["a"]}, None, "what other rules refuse"),
    ],
)
def test_a_tls_file_start_up_cannot_use_is_found(
    folder: Path, tls: dict[str, object], key: str | None, why: str
) -> None:
    """At its place, with its path and nothing of what it holds."""
    findings = list(check_tls_files({"upstreams": {"u": {"tls": tls}}}, folder))
    assert [finding.loc[-1] for finding in findings] == ([] if key is None else [key]), why
    for finding in findings:
        assert finding.loc == ("upstreams", "u", "tls", key)
        assert str(folder / str(tls[str(key)])) in (finding.found or "")
        assert "hunter2" not in f"{finding.found}{finding.allowed}"


def test_each_bad_file_is_found(folder: Path) -> None:
    """Not only the first."""
    tls = {"ca": "rubbish", "cert": "ours.crt", "key": "theirs.key"}
    findings = check_tls_files({"upstreams": {"u": {"tls": tls}, "v": {"tls": tls}}}, folder)
    assert [(finding.loc[1], finding.loc[-1]) for finding in findings] == [
        *[("u", "ca"), ("u", "key")],
        *[("v", "ca"), ("v", "key")],
    ]


@pytest.mark.parametrize("raw", [{}, {"upstreams": 5}, {"upstreams": {"u": {"tls": 5}}}])
def test_settings_without_tls_have_nothing_to_find(raw: dict[str, object], folder: Path) -> None:
    """Nor have those of a wrong shape."""
    assert not list(check_tls_files(raw, folder))
