"""X3, X4, X7: what settings may say, read as start-up reads them."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from gateway.errors import SettingsError
from gateway.loader import load
from tests.attack.model import Check, Entry, Proven
from tests.attack.stage import Stage

_KEY = "K7mQ2vX9bR4tY8wZ1nL5pJ3hG6fD0sAc"
_SEALING = "q83vEjRWeJASNFZ4mrze8KvN7xI0VniQEjRWeJq83vA="
_APP = "{platform: wechat, app_id: wxattack, secret: a-secret-of-nobody}"
GOOD = f"""
environment: development
session:
  signing_keys: [{_KEY}]
  encryption_keys: [{_SEALING}]
apps: {{shop: {_APP}}}
upstreams: {{main: {{targets: [http://10.0.0.1:9000]}}}}
routes: [{{path: /a/, upstream: main}}]
"""


def said(text: str, environ: Mapping[str, str]) -> tuple[str, bool]:
    """Load settings in a folder of their own: what is said of them, and whether they are taken."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gateway.yaml"
        path.write_text(text)
        try:
            loaded = load(path, environ)
        except SettingsError as error:
            return str(error), False
        return "\n".join(loaded.warnings), True


# -- X3: YAML -------------------------------------------------------------------------------------

_BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
)
_YAML: tuple[tuple[str, str], ...] = (
    ("a Python object", "x: !!python/object/apply:os.system [echo evil]"),
    ("a Python name", "x: !!python/name:os.system"),
    ("a Python module", "x: !!python/module:os"),
    ("a Python tuple", "x: !!python/tuple [1]"),
    ("an own tag", "x: !evil y"),
    ("a tag by a directive", "%TAG ! tag:yaml.org,2002:python/\n---\nx: !object:evil y"),
    ("binary", "x: !!binary ZXZpbA=="),
    ("a set", "x: !!set {evil: null}"),
    ("an ordered map", "x: !!omap [evil: 1]"),
    ("a merge key", "x: &x {a: 1}\ny: {<<: *x}"),
    ("a key twice", GOOD + "environment: production\n"),
    ("a key twice, deep", GOOD.replace("main: {targets", "main: {balance: round_robin, targets")
     .replace("[http://10.0.0.1:9000]}", "[http://10.0.0.1:9000], balance: least_requests}")),
    ("a key twice, spelt differently", GOOD + '"environ\\u006dent": production\n'),
    ("an alias bomb", _BOMB),
    ("an alias of itself", "x: &x [*x]"),
    ("10,000 brackets", "x: " + "[" * 10_000),
    ("two documents", GOOD + "---\n" + GOOD),
    ("a key that is a list", "[a]: b"),
    ("a NUL", "x: \0"),
    ("no UTF-8", "x: \ud800".encode("utf-8", "surrogatepass").decode("latin-1")),
    ("an unknown key", GOOD + "enviroment: production\n"),
    ("an unknown key in an app", GOOD.replace("platform: wechat", "platform: wechat, evil: 1")),
    ("a secret that is a number", GOOD.replace("a-secret-of-nobody", "12345")),
    ("a list at the top", "[]"),
    ("2 MiB", "#" * 2 * 1024**2),
)  # fmt: skip


def _refused(text: str) -> Callable[[Stage], list[str]]:
    def run(_stage: Stage) -> list[str]:
        words, is_taken = said(text, {})
        if is_taken:
            return ["it is taken"]
        return ["it says nothing"] if not words else []

    return run


def _expanded_once(_stage: Stage) -> list[str]:
    """What a variable holds is not read again, and does not become structure."""
    environ = {
        "OUTER": "${INNER}",
        "INNER": "never-read-again-from-here-on",
        "BREAK": "x]}\nenvironment: production\n#",
    }
    amiss = []
    words, is_taken = said(GOOD.replace("http://10.0.0.1:9000", "${OUTER}"), environ)
    if is_taken or "never-read-again" in words:
        amiss.append("a variable's content is expanded again")
    text = GOOD.replace("a-secret-of-nobody", '"${BREAK}"') + "server: {listen: '127.0.0.1:0'}\n"
    _, is_taken = said(text, environ)
    return amiss if is_taken else [*amiss, "a variable's content became structure"]


# -- X4: where requests may go --------------------------------------------------------------------

_TARGETS = (
    *("ftp://10.0.0.1", "file:///etc/passwd", "gopher://10.0.0.1:70", "ws://10.0.0.1"),
    *("//10.0.0.1", "javascript:1", "unix:", "unix://evil", "10.0.0.1:80", "http://a..b"),
    *("http://user@10.0.0.1", "http://user:password@10.0.0.1", "http://10.0.0.1#evil"),
    *("http://10.0.0.1?evil", "http://10.0.0.1/evil", "http://10.0.0.1:99999", "http://10.0.0.1:0"),
    *("http://", "http:// 10.0.0.1", "http://10.0.0.1\\@evil", "http://10.0.0.1%00", "HTTP://evil"),
    *(
        "http://2130706433",
        "http://0x7f.1",
        "http://0177.0.0.1",
        "http://127.1",
        "http://\u24d4vil",
    ),
    *("http://[::1", "http://::1", "http://10.0.0.1, http://evil", "http://evil.example.com.:80x"),
)
_METADATA = (
    *("http://169.254.169.254", "http://100.100.100.200", "http://169.254.0.23"),
    *("http://metadata.google.internal", "http://[fd00:ec2::254]"),
)


def _target(target: str) -> str:
    return GOOD.replace("http://10.0.0.1:9000", f'"{target}"'.replace("\\", "\\\\"))


def _warned(target: str) -> Callable[[Stage], list[str]]:
    def run(_stage: Stage) -> list[str]:
        words, is_taken = said(_target(target), {})
        return [] if is_taken and "metadata" in words else ["there is no warning"]

    return run


def _bases() -> Iterator[tuple[str, str]]:
    for base in ("ftp://x", "http://u:p@x", "https://x/path", "https://x?y", "https://x#y", "x"):
        yield base, GOOD.replace("wxattack,", f'wxattack, api_base: "{base}",')
    production = GOOD.replace("development", "production")
    mock = production.replace("wxattack,", "wxattack, api_base: http://10.0.0.1,")
    yield "http in production", mock


# -- X7: start-up ---------------------------------------------------------------------------------


def _weak() -> Iterator[tuple[str, str]]:
    production = GOOD.replace("development", "production")
    for title, key in (
        ("short", "short-key-of-31-characters-----"),
        ("of one letter", "a" * 40),
        ("an example", "change-me-change-me-change-me-change-me"),
        ("made for development", "development-" + _KEY),
        ("a secret called so", "my-secret-my-secret-my-secret-my-secret"),
    ):
        yield f"a signing key that is {title}", production.replace(_KEY, key)
    for title, key in (
        ("short", "c2hvcnQ="),
        ("of noughts", "A" * 43 + "="),
        ("no base64", "!" * 44),
        ("made for development", "ZGV2ZWxvcC0AAQIDBAUGBwgJCgsMDQ4PEBESExQVFhc="),
    ):
        yield f"an encryption key that is {title}", production.replace(_SEALING, key)
    yield "no signing keys", production.replace(f"[{_KEY}]", "[]")
    yield "no encryption keys", production.replace(f"[{_SEALING}]", "[]")
    admin = "admin: {tokens: [{name: ops, token: short, scopes: [read]}]}\n"
    yield "an admin token of 5 letters", production + admin
    yield "one address for public and admin", production + "admin: {listen: '0.0.0.0:8080'}\n"


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
    yield Check(row="X3", title="good settings, to compare", run=_good)
    for title, text in _YAML:
        yield Check(row="X3", title=title, run=_refused(text))
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
    for target in _TARGETS:
        yield Check(row="X4", title=f"no target: {target}", run=_refused(_target(target)))
    for base, text in _bases():
        yield Check(row="X4", title=f"no api_base: {base}", run=_refused(text))
    for target in _METADATA:
        yield Check(row="X4", title=f"warned of {target}", run=_warned(target))
    for title, text in _weak():
        yield Check(row="X7", title=f"refused: {title}", run=_refused(text))
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


def _good(_stage: Stage) -> list[str]:
    words, is_taken = said(GOOD, {})
    return [] if is_taken and not words else ["they are refused, or warned of"]
