"""X7: what start-up refuses and warns of; X3 and X4 stand in `x_yaml` and `x_targets`."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.attack.model import Check, Entry, Proven
from tests.attack.rows import x_targets, x_yaml
from tests.attack.rows.x_reading import GOOD, PRODUCTION, SEALING, SIGNING, refused, said, taken
from tests.attack.stage import Stage

_KEYS, _SEALS = "session.signing_keys", "session.encryption_keys"
_PATTERN = "a key that looks like an example or a pattern"
_FOR_DEVELOPMENT = "a key made for development"
_ADMIN_TOKEN = "vT4nQ8wZ2cR6yL1p"

_SIGNING = (
    ("short", SIGNING[:31], "a secret of 31 characters"),
    ("of one letter", "a" * 40, _PATTERN),
    ("of two in turn", "ab" * 20, _PATTERN),
    ("an example", "change-me-change-me-change-me-change-me", _PATTERN),
    ("made for development", "development-" + SIGNING, _FOR_DEVELOPMENT),
    ("a secret called so", "my-secret-my-secret-my-secret-my-secret", _PATTERN),
)
_ENCRYPTION = (
    ("short", "c2hvcnQ=", "a key of 5 bytes"),
    ("of noughts", "A" * 43 + "=", _PATTERN),
    ("no base64", "!" * 44, "a secret of 44 characters"),
    ("made for development", "ZGV2ZWxvcC1Lb1p3t5rW0nQ8zT4cV2yB6mX1dHJgRsU=", _FOR_DEVELOPMENT),
)


def _admin(token: str) -> str:
    return f"admin: {{tokens: [{{name: ops, token: {token}, scopes: [read]}}]}}\n"


def _weak() -> Iterator[tuple[str, str, str, str]]:
    """Title, settings, the place that is to blame, and what is found there."""
    for title, key, found in _SIGNING:
        text = PRODUCTION.replace(SIGNING, f"'{key}'")
        yield f"a signing key that is {title}", text, f"{_KEYS}[0]", found
    for title, key, found in _ENCRYPTION:
        text = PRODUCTION.replace(SEALING, f"'{key}'")
        yield f"an encryption key that is {title}", text, f"{_SEALS}[0]", found
    for title, key, place in (("signing", SIGNING, _KEYS), ("encryption", SEALING, _SEALS)):
        yield f"no {title} keys", PRODUCTION.replace(f"[{key}]", "[]"), place, "an empty list"
        line = f"  {title}_keys: [{key}]\n"
        yield f"{title} keys left out", PRODUCTION.replace(line, ""), place, "nothing"
    token = "admin.tokens[0].token"
    for title, given, found in (
        ("of 5 letters", "short", "a secret of 5 characters"),
        ("that is a pattern", "a" * 32, "a token that looks like an example"),
    ):
        yield f"an admin token {title}", PRODUCTION + _admin(given), token, found
    address = "admin: {listen: '0.0.0.0:8080'}\n"
    text = PRODUCTION + address
    yield "one address for public and admin", text, "admin.listen", "'0.0.0.0:8080'"


def _shadowing(_stage: Stage) -> list[str]:
    """A public route inside a required one is warned of."""
    inside = "[{path: /a/, upstream: main}, {path: /a/b/, upstream: main, session: none}]"
    words, is_taken = said(GOOD.replace("[{path: /a/, upstream: main}]", inside), {})
    return [] if is_taken and "/a/b/" in words else ["there is no warning"]


def _world_readable(_stage: Stage) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        secret = Path(folder) / "secret"
        secret.write_text("a-secret-of-nobody-in-a-file")
        secret.chmod(0o644)
        words, is_taken = said(GOOD.replace("a-secret-of-nobody", f"{{file: {secret}}}"), {})
    good = is_taken and "can read" in words and "in-a-file" not in words
    return [] if good else ["there is no warning"]


def entries() -> Iterator[Entry]:
    """List these rows."""
    yield from x_yaml.entries()
    yield from x_targets.entries()
    yield Check(row="X7", title="production, to compare", run=taken(PRODUCTION))
    text = PRODUCTION + _admin(_ADMIN_TOKEN)
    yield Check(row="X7", title="production with an admin token, to compare", run=taken(text))
    for title, text, place, found in _weak():
        yield Check(row="X7", title=f"refused: {title}", run=refused(text, place, found))
    yield Proven(
        row="X7",
        title="weak keys, a missing C parser, plain http to platforms",
        tests=(
            "tests/loader/test_compiled.py",
            "tests/settings/test_keys.py",
            "tests/settings/test_rules.py::test_production_takes_no_mock_platform",
        ),
    )
    yield Check(row="X7", title="a public route inside a required one", run=_shadowing)
    yield Check(row="X7", title="a secret file that everybody can read", run=_world_readable)
