"""New keys: random, long enough, and taken by the settings as they are printed."""

from pathlib import Path

import pytest
import yaml

from gateway.keygen import KINDS, Kind, new_key, snippet
from gateway.loader import load

PRODUCTION = """
server: {listen: "127.0.0.1:0"}
admin: {listen: "127.0.0.1:0"}
"""


@pytest.mark.parametrize("kind", KINDS)
def test_no_key_is_made_twice(kind: Kind) -> None:
    """Each is random, and one word of ASCII, for a shell and for a file of variables."""
    keys = {new_key(kind) for _ in range(20)}
    assert len(keys) == 20
    assert all(key.isascii() and not set(key) & set(" \t\n'\"$`\\#") for key in keys)


def test_the_snippet_is_taken_by_production(tmp_path: Path) -> None:
    """What is printed may be pasted: the strictest environment asks for nothing more."""
    text = snippet()
    path = tmp_path / "gateway.yaml"
    path.write_text(PRODUCTION + text)
    session = load(path, {}).settings.session
    written = yaml.safe_load(text)["session"]
    assert [key.get_secret_value() for key in session.signing_keys] == written["signing_keys"]
    assert len(session.encryption_keys) == 1


def test_both_keys_of_a_snippet_are_new() -> None:
    """Neither is made from the other, and none comes twice."""
    first, second = (yaml.safe_load(snippet())["session"] for _ in range(2))
    keys = [key for made in (first, second) for kind in made.values() for key in kind]
    assert len(set(keys)) == 4
