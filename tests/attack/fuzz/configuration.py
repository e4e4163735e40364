"""Fuzzes settings files: taken or refused in words, the same each time, and no secret told.

attacks.md X3; design.md section 3.
"""

import atexit
import re
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml

from gateway.errors import SettingsError
from gateway.loader import Loaded, load
from gateway.settings import Settings
from tests.attack.fuzz.fuzzer import MARKER, Fuzzer, must

_KEY = "eTB4ZWJzdHZqcmZoc2tkdWVpcXBhemxjbndidG1nb2s="
_ENVIRON = {"SECRET": MARKER, "NAME": "value", "EMPTY": "", "NUMBER": "7", "LONG": MARKER * 2}
_OTHER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where it is there: another parser than the one under fuzz."""
_UNREAD = re.compile(rb"<<|!|\?|[\[{]\s*[\[{]|\*")
"""Marks of what a refused file may hold whose values are not read; and aliases, which are slow."""
_CONFIG = Path(__file__).parents[3] / "config"


@cache
def _folder() -> Path:
    """A folder for the file under fuzz, gone with the process; it holds files to refer to."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-settings-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "secret").write_text(MARKER)
    (folder / "apps").mkdir()
    (folder / "apps" / "one.yaml").write_text(
        "platform: wechat\napp_id: wx1\nsecret: {file: secret}\n"
    )
    return folder


def check(data: bytes) -> None:
    """Load the file twice; compare, and look for what must not be told."""
    path = _folder() / "gateway.yaml"
    path.write_bytes(data)
    first, second = _load(path), _load(path)
    must(_shown(first) == _shown(second), "the second time it is another")
    if MARKER[:12].encode() not in data:
        _check_told(first)
    if isinstance(first, Loaded):
        must(first.settings == getattr(second, "settings", None), "other settings")
        _check_taken(first.settings)
    _check_keys(data, first)


def _load(path: Path) -> Loaded | SettingsError:
    try:
        return load(path, _ENVIRON)
    except SettingsError as error:
        return error


def _shown(outcome: Loaded | SettingsError) -> tuple[str, ...]:
    if isinstance(outcome, Loaded):
        return (repr(outcome.settings), outcome.settings.model_dump_json(), *outcome.warnings)
    return tuple(map(str, outcome.problems))


def _check_told(outcome: Loaded | SettingsError) -> None:
    """What stands in the environment and in files is never told, nor is a part of it."""
    if isinstance(outcome, SettingsError):
        must(outcome.problems, "refused without a problem")
        told = str(outcome)
        must(all(each.allowed and each.found for each in outcome.problems), "a problem in no words")
    else:
        told = "\n".join(_secret_free(outcome.settings))
    must(MARKER[:12] not in told, "a secret is told")


def _secret_free(settings: Settings) -> Iterator[str]:
    """The settings' parts that hold secrets, as they are shown."""
    yield repr(settings.session.signing_keys)
    yield repr(settings.session.encryption_keys)
    yield repr([each.token for each in settings.admin.tokens])
    yield repr([(each.secret, each.next_secret) for each in settings.apps.values()])


def _check_taken(settings: Settings) -> None:
    """What was taken holds together."""
    for route in settings.routes:
        must(route.upstream is None or route.upstream in settings.upstreams, "no such upstream")
        must((route.upstream is None) != (route.respond is None), "both, or neither")
        must(route.path.startswith("/") and not re.search(r"[\s?#]", route.path), "an odd path")
        apps = route.apps or ()
        must(all(name in settings.apps for name in apps), "no such app")
    if settings.environment == "production":
        keys = [each.get_secret_value() for each in settings.session.signing_keys]
        must(keys and all(len(each) >= 32 for each in keys), "a short signing key in production")
        must(settings.session.encryption_keys, "no encryption key in production")
    must(len(settings.session.signing_keys) <= 5, "more than five signing keys")


def _check_keys(data: bytes, outcome: Loaded | SettingsError) -> None:
    """A key that another reader of YAML sees twice is told, wherever it stands."""
    if isinstance(outcome, SettingsError):
        told = [each.found for each in outcome.problems]
        is_read = outcome.problems[0].path != ""  # else the file as a whole could not be
        if not is_read or any("again" in each for each in told) or _UNREAD.search(data):
            return
    try:
        node = yaml.compose(data.decode("utf-8-sig"), Loader=_OTHER)
    except (yaml.YAMLError, ValueError):
        return
    must(not has_key_twice(node), "a key stands twice")


def has_key_twice(node: yaml.Node | None) -> bool:
    """Whether a mapping somewhere in it has a key twice."""
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        return len(set(keys)) < len(keys) or any(has_key_twice(value) for _, value in node.value)
    return isinstance(node, yaml.SequenceNode) and any(map(has_key_twice, node.value))


_SMALL = f"""\
environment: development
session: {{signing_keys: [{{env: LONG}}], encryption_keys: [{_KEY}]}}
apps: {{shop: {{platform: wechat, app_id: wx1, secret: {{env: SECRET}}}}}}
upstreams: {{main: {{targets: [http://127.0.0.1:9000]}}}}
routes:
  - {{path: /api/, upstream: main, session: required, apps: [shop], strip_prefix: /api}}
  - {{path: /x, respond: {{status: 200, content_type: text/plain, body: "${{NAME:-a}}"}}}}
"""
FUZZER = Fuzzer(
    name="configuration",
    title="settings files: YAML, environment, references, checks",
    modules=(
        *("gateway.loader.tree", "gateway.loader.environment", "gateway.loader.references"),
        *("gateway.loader.load", "gateway.settings.build", "gateway.settings.scalars"),
        *("gateway.settings.units", "gateway.settings.addresses", "gateway.settings.paths"),
        *("gateway.settings.rules", "gateway.settings.route_rules", "gateway.settings.vault"),
        *("gateway.settings.findings", "gateway.settings.explain", "gateway.settings.redis_url"),
    ),
    check=check,
    seeds=(
        _SMALL.encode(),
        b"environment: production\n" + _SMALL.partition("\n")[2].encode(),
        b"apps_dir: apps\nsession: {store: 'redis://a:${SECRET}@h:6379/0'}\n",
        b"server: {listen: unix:/run/x.sock, limits: {headers: 32KiB, body: 1MiB}}\n",
        b"server: {trusted_proxies: [10.0.0.0/8], timeouts: {headers: 10s, body_idle: 500ms}}\n",
        b"admin: {tokens: [{name: a, token: {file: secret}, scopes: [read]}]}\n",
        b"session: {signing_keys: ['${SECRET}']}\nlogin: {limits: {per_ip: 600/1m}, timeout: 5s}\n",
        b"a: &a {b: 1}\nc: *a\n<<: *a\n",
        b"routes: [{path: /%61/, upstream: none}, {path: /a/, upstream: none}]\n",
        *(path.read_bytes() for path in sorted(_CONFIG.glob("*.yaml"))),
    ),
    words=(
        *(b"environment: ", b"development", b"production", b"server: ", b"listen: ", b"session: "),
        *(b"signing_keys: ", b"encryption_keys: ", b"store: ", b"redis://", b"sqlite:", b"apps: "),
        *(b"apps_dir: ", b"upstreams: ", b"targets: ", b"routes: ", b"path: ", b"upstream: "),
        *(b"respond: ", b"strip_prefix: ", b"limits: ", b"timeouts: ", b"admin: ", b"tokens: "),
        *(b"{env: SECRET}", b"{file: secret}", b"${SECRET}", b"${NAME:-x}", b"$${", b"${", b"- "),
        *(
            b"\n  ",
            b"\n",
            b": ",
            b", ",
            b"{",
            b"}",
            b"[",
            b"]",
            b"&a ",
            b"*a",
            b"<<: *a",
            b"!!str ",
        ),
        *(
            b"!!python/object:os.system ",
            b"!!binary ",
            b"|\n ",
            b">\n ",
            b"'",
            b'"',
            b"#",
            b"---\n",
        ),
        *(b"10s", b"1MiB", b"600/1m", b"http://", b"https://", b"unix:", b"127.0.0.1:80", b"~"),
        *(
            b"null",
            b"true",
            b"0x1",
            b"1e3",
            b".inf",
            b"\\ud800",
            b"\xef\xbb\xbf",
            b"\t",
            b"@",
            b"%2e",
        ),
    ),
    max_bytes=4096,
)
