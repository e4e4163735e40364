"""The settings file as a whole."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import Problem, SettingsError
from gateway.loader import load
from gateway.loader.load import KEYS_PATH

SMALL = "environment: development\n"
FIVE = """\
environment: development
server:
  timeouts:
    headers: 10 seconds
  lisen: 127.0.0.1:8080
session:
  signing_keys: [short-hunter2]
apps:
  shop:
    platform: wechat
    secret: ${SHOP_SECRET}
upstreams:
  orders: {targets: ["http://10.0.0.1:9000"]}
routes:
  - path: /api/
    upstream: order
  - path: /api/../x
    upstream: orders
    session: none
    session: required
  - upstream: ${UPSTREAM}
server:
  listen: 127.0.0.1:8080
"""


def write(folder: Path, text: str) -> Path:
    """Write a settings file."""
    path = folder / "gateway.yaml"
    path.write_text(text)
    return path


def problems(path: Path, **environ: str) -> list[Problem]:
    """Load wrong settings."""
    with pytest.raises(SettingsError) as caught:
        load(path, environ)
    return caught.value.problems


def test_all_problems_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    """Mistakes in shape, in references between parts and in YAML do not hide each other."""
    path = write(tmp_path, FIVE)
    found = problems(path, UPSTREAM="hunter2")
    assert [(one.line, one.path) for one in found] == [
        (4, "server.timeouts.headers"),
        (5, "server.lisen"),
        (7, "session.signing_keys[0]"),
        (9, "apps.shop.app_id"),
        (11, "apps.shop.secret"),
        (16, "routes[0].upstream"),
        (17, "routes[1].path"),
        (20, "routes[1].session"),
        (21, "routes[2].path"),
        (21, "routes[2].upstream"),
        (22, "server"),
    ]
    assert {one.file for one in found} == {str(path)}
    text = "\n".join(map(str, found))
    assert "hunter2" not in text
    assert f"{path}:16: routes[0].upstream: found 'order'; allowed: did you mean 'orders'?" in text
    assert "'${UPSTREAM}' (read as 7 characters)" in text
    assert "a secret of 13 characters" in text


@pytest.mark.parametrize(
    ("content", "line", "found"),
    [
        (b"a: [1\nb: 2", 2, "expected"),
        (b"- a", 1, "a list"),
        (b"\n\nhello", 3, "'hello'"),
        (b"\xff\xfe", None, "not UTF-8"),
        (b"#" * (1024**2 + 1), None, "larger"),
        (b"a: *hunter2", 1, "undefined alias"),
    ],
)
def test_a_file_that_cannot_be_read_has_one_problem(
    tmp_path: Path, content: bytes, line: int | None, found: str
) -> None:
    """With its line, where there is one."""
    path = tmp_path / "gateway.yaml"
    path.write_bytes(content)
    [problem] = problems(path)
    assert problem.line == line
    assert found in problem.found
    assert "hunter2" not in str(problem)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The path is told as it was given."""
    [problem] = problems(tmp_path / "gateway.yaml")
    assert problem.found == f"{tmp_path / 'gateway.yaml'}: No such file or directory"


def test_an_empty_file_lacks_only_keys(tmp_path: Path) -> None:
    """Everything else has a default, and the default environment is production."""
    found = problems(write(tmp_path, "# nothing yet\n"))
    assert [one.path for one in found] == ["session.signing_keys", "session.encryption_keys"]
    assert {one.line for one in found} == {1}


def test_development_keys_are_kept_beside_the_file(tmp_path: Path) -> None:
    """The same at the next start; only what is missing is taken from there."""
    path = write(tmp_path, SMALL)
    first = load(path, {}).settings.session
    assert load(path, {}).settings.session == first
    assert (tmp_path / KEYS_PATH).exists()
    write(tmp_path, SMALL + "session: {signing_keys: [" + "k" * 32 + "]}\n")
    second = load(path, {}).settings.session
    assert second.signing_keys[0].get_secret_value() == "k" * 32
    assert second.encryption_keys == first.encryption_keys


def test_no_keys_are_made_for_wrong_settings(tmp_path: Path) -> None:
    """A check of a broken file leaves nothing behind."""
    problems(write(tmp_path, SMALL + "x: 1\n"))
    assert not (tmp_path / KEYS_PATH).exists()


def test_broken_development_keys_are_a_problem(tmp_path: Path) -> None:
    """With the remedy."""
    path = write(tmp_path, SMALL)
    load(path, {})
    (tmp_path / KEYS_PATH).write_text("{")
    [problem] = problems(path)
    assert problem.path == "session.signing_keys"
    assert "remove the file" in problem.allowed


def test_paths_count_from_the_settings_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not from where the command was called; the result is absolute."""
    (tmp_path / "conf").mkdir()
    write(tmp_path / "conf", SMALL + "logs: {access: ./a.log}\nserver: {listen: unix:g.sock}\n")
    monkeypatch.chdir(tmp_path)
    made = load(Path("conf/gateway.yaml"), {}).settings
    assert made.session.store.path == tmp_path / "conf/data/gateway.db"
    assert made.logs.access == tmp_path / "conf/a.log"
    assert made.server.listen.path == tmp_path / "conf/g.sock"


def test_warnings_come_from_files_and_settings(tmp_path: Path) -> None:
    """What was read, and what it means."""
    (tmp_path / "s").write_text("secret")
    (tmp_path / "s").chmod(0o644)
    text = SMALL + (
        "apps: {a: {platform: wechat, app_id: x, secret: {file: s}}}\n"
        "endpoints: {login: ['/in/{platform}']}\n"
    )
    warnings = load(write(tmp_path, text), {}).warnings
    assert [warning.split(":")[0] for warning in warnings] == [
        "apps.a.secret",
        "endpoints.login[0]",
    ]


PRODUCTION = """
session: {signing_keys: [%s], encryption_keys: [{env: KEY}], store: '%s'}
"""
RANDOM = "kq3v9TzBw7Ym2Xc8Rn5Lf1Hs6Jd4Gp0A"
ENCRYPTION = {"KEY": "oJ2ZbVXl5xyTFK6Qd7uA9rKf0wWm3hPzB1eGcNsYvk4="}


@pytest.mark.parametrize(
    ("key", "store", "mode", "told"),
    [
        (RANDOM, "sqlite:a.db", 0o644, ["session.signing_keys[0]"]),
        (RANDOM, "sqlite:a.db", 0o640, []),
        ("{env: KEY}", "sqlite:a.db", 0o644, []),
        ("'${KEY}'", "sqlite:a.db", 0o644, []),
        ("{env: KEY}", "redis://cache", 0o644, []),
        ("{env: KEY}", "redis://:hunter2@cache", 0o644, ["session.store"]),
        ("{env: KEY}", "redis://:${KEY}@cache", 0o644, []),
        (RANDOM, "redis://:hunter2@cache", 0o644, ["session.signing_keys[0]"]),
    ],
)
def test_a_settings_file_with_secrets_for_everybody_is_warned_of(
    tmp_path: Path, key: str, store: str, mode: int, told: list[str]
) -> None:
    """Once, and only where a secret stands in it as text; the secret is not shown."""
    path = write(tmp_path, PRODUCTION % (key, store))
    path.chmod(mode)
    warnings = load(path, ENCRYPTION).warnings
    assert [warning.split(":")[0] for warning in warnings] == told
    assert all(f"{path} holds a secret as text" in warning for warning in warnings)


def test_an_app_file_with_a_secret_for_everybody_is_warned_of(tmp_path: Path) -> None:
    """Each file for itself; in development nobody minds."""
    (tmp_path / "apps").mkdir()
    app = tmp_path / "apps" / "a.yaml"
    app.write_text("platform: wechat\napp_id: wx1\nsecret: made-up\n")
    app.chmod(0o644)
    text = PRODUCTION % ("{env: KEY}", "sqlite:a.db") + "apps_dir: apps\n"
    [warning] = load(write(tmp_path, text), ENCRYPTION).warnings
    assert warning.startswith(f"apps.a.secret: {app} holds a secret as text")
    assert load(write(tmp_path, SMALL + "apps_dir: apps\n"), {}).warnings == ()


def test_settings_that_everybody_can_change_are_warned_of(tmp_path: Path) -> None:
    """Who changes them sends all requests where he likes; in development nobody minds."""
    (tmp_path / "apps").mkdir()
    app = tmp_path / "apps" / "a.yaml"
    app.write_text("platform: wechat\napp_id: wx1\nsecret: {env: KEY}\n")
    path = write(tmp_path, PRODUCTION % ("{env: KEY}", "sqlite:a.db") + "apps_dir: apps\n")
    path.chmod(0o622)
    app.chmod(0o602)
    warned = "everybody on this machine can change the settings in it"
    assert load(path, ENCRYPTION).warnings == (f"{path}: {warned}", f"{app}: {warned}")
    path.chmod(0o620)
    app.chmod(0o600)
    assert load(path, ENCRYPTION).warnings == ()
    path = write(tmp_path, SMALL)
    path.chmod(0o666)
    assert load(path, {}).warnings == ()


def test_tls_files_are_opened_as_at_start_up(tmp_path: Path) -> None:
    """A missing one and one that holds nothing are told in one list, each on its line."""
    (tmp_path / "rubbish").write_text("rubbish")
    text = SMALL + (
        "upstreams:\n"
        "  u:\n"
        "    targets: ['https://a']\n"
        "    tls:\n"
        "      ca: rubbish\n"
        "      cert: missing\n"
        "      key: missing\n"
    )
    found = problems(write(tmp_path, text))
    assert [(one.line, one.path) for one in found] == [
        (6, "upstreams.u.tls.ca"),
        (7, "upstreams.u.tls.cert"),
        (8, "upstreams.u.tls.key"),
    ]


def test_a_store_nobody_can_open_is_warned_of(tmp_path: Path) -> None:
    """A warning, for a check may run elsewhere; Redis has no file."""
    (tmp_path / "data").mkdir()
    path = write(tmp_path, SMALL + "session: {store: 'sqlite:data'}\n")
    [told] = load(path, {}).warnings
    assert told == f"session.store: {tmp_path / 'data'} is a folder, where a file belongs"
    path = write(tmp_path, SMALL + "session: {store: 'redis://r'}\n")
    assert load(path, {}).warnings == ()


_WORDS = st.sampled_from(
    ("apps", "routes", "server", "session", "environment", "development", "secret", "file", "env")
)
_YAML = st.lists(
    st.tuples(
        st.sampled_from(("", "  ", "    ", "- ", "  - ")),
        _WORDS,
        st.sampled_from((":", ": ", "")),
        st.sampled_from(("", "[]", "{}", "1", "${A}", "null", "*a", "&a", "/x", "'", "10s")),
    ).map("".join),
    max_size=12,
).map("\n".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_YAML | st.text(max_size=60))
def test_no_file_fails_in_another_way(tmp_path: Path, text: str) -> None:
    """Settings, or a list of problems: nothing else comes out."""
    path = tmp_path / "gateway.yaml"
    path.write_bytes(text.encode(errors="replace"))
    with contextlib.suppress(SettingsError):
        load(path, {"A": "1"})


def test_a_value_from_the_environment_is_not_told_where_it_is_the_whole_file(
    tmp_path: Path,
) -> None:
    """A file that holds nothing but `${NAME}` is refused without the value."""
    (found,) = problems(write(tmp_path, "${SECRET} and more"), SECRET="hunter2")
    assert found.allowed == "a mapping of settings"
    assert "hunter2" not in str(found)
    assert "${SECRET} and more" in found.found
