"""The commands as users run them: processes, signals, exit codes, what they say."""

import asyncio
import json
import re
import signal
import socket
from pathlib import Path

import pytest
import yaml

from gateway.clock import now
from gateway.sessions.sqlite.store import SqliteStore
from tests.support.commands import TOP, Finished, free_ports, run, run_shell, running_command
from tests.support.gateway import run_gateway
from tests.support.raw import ask, connect
from tests.support.serving import until_refused

PUBLIC, ADMIN, SIMULATOR, ECHO = "8080", "8081", "8090", "8091"


def write_settings(folder: Path, name: str = "gateway.yaml") -> dict[str, int]:
    """The repository's own gateway.yaml on free ports; returns them by the usual ones."""
    text = (TOP / "gateway.yaml").read_text()
    ports = dict(zip((PUBLIC, ADMIN, SIMULATOR, ECHO), free_ports(4), strict=True))
    for usual, free in ports.items():
        text = text.replace(f":{usual}", f":{free}")
    (folder / name).write_text(text)
    return ports


async def get(port: int, path: str) -> int:
    return (await ask(port, f"GET {path} HTTP/1.1\r\nHost: gw\r\n\r\n".encode())).status


def assert_clean(finished: Finished) -> None:
    """An end without a fault and without Python's words."""
    assert finished.code == 0, finished.err
    assert "Traceback" not in finished.err
    assert "Aborted" not in finished.err


# -- serve ------------------------------------------------------------------------------------


async def test_serve_serves_and_sigterm_drains_it(tmp_path: Path) -> None:
    """A request under way is answered, the port is closed, the exit code is 0."""
    ports = write_settings(tmp_path)
    async with running_command(tmp_path, "serve") as command:
        await command.until(f"listens on 127.0.0.1:{ports[PUBLIC]}")
        assert await get(ports[PUBLIC], "/hello.txt") == 200
        assert await get(ports[ADMIN], "/readyz") == 200
        body = b'{"app":"nobody","code":"c"}'
        head = b"POST /login HTTP/1.1\r\nHost: gw\r\nContent-Type: application/json\r\n"
        client = await connect(ports[PUBLIC])
        await client.send(head + b"Content-Length: %d\r\n\r\n" % len(body))
        assert await get(ports[PUBLIC], "/hello.txt") == 200  # by now the head has been read
        command.process.send_signal(signal.SIGTERM)
        await command.until("draining")
        await until_refused(ports[PUBLIC])
        await client.send(body)
        answer = await client.answer()
        assert (answer.status, answer.value("Connection")) == (400, "close")
        await client.close()
        finished = await command.stop(signal.SIGCONT)
    assert_clean(finished)
    with pytest.raises(ConnectionError):
        await connect(ports[PUBLIC])


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    """Who asks twice does not want to wait for a client."""
    ports = write_settings(tmp_path)
    async with running_command(tmp_path, "serve") as command:
        await command.until("listens on")
        client = await connect(ports[PUBLIC])
        await client.send(b"POST /login HTTP/1.1\r\nHost: gw\r\nContent-Length: 9\r\n\r\n")
        assert await get(ports[PUBLIC], "/hello.txt") == 200
        command.process.send_signal(signal.SIGTERM)
        await command.until("draining")
        finished = await command.stop(signal.SIGTERM)
        await client.close()
    assert finished.code == -signal.SIGTERM


async def test_serve_in_production_with_secrets_from_the_environment(tmp_path: Path) -> None:
    """Keys of `keygen`, app secret and store from variables; JSON lines on stdout."""
    keys = await made_keys(tmp_path)
    public, admin = free_ports(2)
    (tmp_path / "gateway.yaml").write_text(production(public, admin))
    env = {**keys, "APP_SECRET": "s3cr3t-of-the-app", "PORT": str(public)}
    async with running_command(tmp_path, "serve", env=env) as command:
        await command.until("listens on")
        assert await get(public, "/api/x") == 401
        line = json.loads(await command.until_out("}"))
        assert (line["status"], line["error"]) == (401, "session_missing")
        assert_clean(await command.stop(signal.SIGTERM))
    assert (tmp_path / "data" / "gateway.db").stat().st_mode & 0o777 == 0o600


def production(public: int, admin: int) -> str:
    """A production file of the smallest kind."""
    return f"""
server: {{listen: "127.0.0.1:${{PORT:-{public}}}", workers: 1}}
admin: {{listen: "127.0.0.1:{admin}"}}
session:
  signing_keys: [{{env: SIGNING_KEY}}]
  encryption_keys: [{{env: ENCRYPTION_KEY}}]
apps:
  shop: {{platform: wechat, app_id: wx1, secret: {{env: APP_SECRET}}}}
upstreams:
  main: {{targets: [http://127.0.0.1:9]}}
routes:
  - {{path: /api/, upstream: main}}
"""


async def made_keys(folder: Path) -> dict[str, str]:
    """What `keygen` prints for each kind, as environment variables."""
    kinds = ("signing", "encryption")
    made = await asyncio.gather(*(run(folder, "keygen", kind) for kind in kinds))
    for finished in made:
        assert_clean(finished)
    return {f"{kind.upper()}_KEY": one.out.strip() for kind, one in zip(kinds, made, strict=True)}


@pytest.mark.parametrize("command", ["serve", "dev"])
async def test_a_missing_encryption_key_refuses_the_start(tmp_path: Path, command: str) -> None:
    """1, with its id and the way out; forced, the gateway starts and forgets it."""
    ports = write_settings(tmp_path)
    store = SqliteStore(tmp_path / "data" / "gateway.db", now)
    await store.open()
    await store.note_sealing_key("0123abcd", now() + 86400)
    await store.close()
    finished = await run(tmp_path, command)
    assert finished.code == 1
    assert "session.encryption_keys: found no key with the id 0123abcd" in finished.err
    assert "gateway.yaml: refused: 1 problem" in finished.err
    assert "Traceback" not in finished.err
    for words in (["--drop-encryption-keys"], []):
        async with running_command(tmp_path, command, *words) as running:
            if words:
                await running.until("encryption key 0123abcd was dropped")
            await (running.until("listens on") if command == "serve" else running.until_out("Ctrl"))
            assert await get(ports[PUBLIC], "/hello.txt") == 200
            assert_clean(await running.stop(signal.SIGTERM))


@pytest.mark.parametrize(("command", "usual"), [("serve", PUBLIC), ("serve", ADMIN), ("dev", ECHO)])
async def test_a_taken_port_is_said_in_one_line(tmp_path: Path, command: str, usual: str) -> None:
    """Exit code 1, and which address it is."""
    ports = write_settings(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ports[usual]))
        taken.listen()
        finished = await run(tmp_path, command)
    assert finished.code == 1
    assert finished.err.count("\n") == 1
    assert f"('127.0.0.1', {ports[usual]}): address already in use" in finished.err
    assert "is another gateway running?" in finished.err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"server": {"listen": "nohost.invalid:80", "workers": 1}}, "nohost.invalid:80"),
        ({"server": {"listen": "unix:no/such/folder.sock", "workers": 1}}, "no/such/folder.sock"),
        ({"logs": {"access": "./no/such/access.log"}}, "no/such/access.log: No such file"),
    ],
)
async def test_what_cannot_be_had_is_named(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    """A host name, a socket's folder, a file."""
    write_settings(tmp_path)
    settings = yaml.safe_load((tmp_path / "gateway.yaml").read_text()) | change
    (tmp_path / "gateway.yaml").write_text(yaml.safe_dump(settings))
    finished = await run(tmp_path, "serve")
    assert (finished.code, finished.err.count("\n")) == (1, 1), finished.err
    assert said in finished.err


async def test_a_store_that_cannot_be_opened_ends_the_start(tmp_path: Path) -> None:
    """A warning of the settings, then one line with our code and what the file's trouble is."""
    write_settings(tmp_path)
    (tmp_path / "data" / "gateway.db").mkdir(parents=True)
    finished = await run(tmp_path, "serve")
    assert finished.code == 1
    warning, error = finished.err.splitlines()
    assert warning.startswith("warning: session.store: ")
    assert "store_unavailable: the session store's file cannot be opened" in error


# -- dev --------------------------------------------------------------------------------------


async def test_devs_own_lines_log_in_on_each_platform(tmp_path: Path) -> None:
    """The banner's lines in bash, exactly as printed; then Ctrl-C, and again with old sessions."""
    write_settings(tmp_path)
    for _ in range(2):
        async with running_command(tmp_path, "dev") as command:
            text = await command.until_out("Ctrl-C ends it.")
            blocks = re.findall(r"^# (\w+)\n((?:.+\n){3})", text, re.MULTILINE)
            assert [name for name, _ in blocks] == ["wechat", "douyin", "baidu", "kuaishou"]
            for platform, lines in blocks:
                finished = await run_shell(tmp_path, lines)
                seen = json.loads(finished.out)
                assert seen["path"] == "/api/orders/1"
                assert seen["identity"]["X-Platform"] == platform
                assert len(seen["identity"]["X-OpenId"]) > 20
                assert not any(name == "Authorization" for name, _ in seen["headers"])
            assert_clean(await command.stop(signal.SIGINT))


async def test_dev_is_for_development(tmp_path: Path) -> None:
    """Production settings are refused, and settings that lack the simulator's place too."""
    keys = {**await made_keys(tmp_path), "APP_SECRET": "s3cr3t-of-the-app"}
    (tmp_path / "gateway.yaml").write_text(production(*free_ports(2)))
    finished = await run(tmp_path, "dev", env=keys)
    assert finished.code == 1
    assert "Error: `gateway dev` needs settings with `environment: development`" in finished.err
    text = "environment: development\n" + production(*free_ports(2))
    (tmp_path / "gateway.yaml").write_text(text)
    finished = await run(tmp_path, "dev", env=keys)
    assert finished.code == 1
    assert "api_base" in finished.err


# -- check ------------------------------------------------------------------------------------

FIVE_MISTAKES = """\
environment: development
server:
  listne: 127.0.0.1:8080
session:
  lifetime: 30
apps:
  shop: {platform: wechatt, app_id: wx1, secret: "${NO_SUCH_SECRET}"}
upstreams:
  orders: {targets: [ftp://10.0.0.1]}
routes:
  - {path: api/, upstream: orders}
"""


async def test_check_lists_every_mistake_with_its_line(tmp_path: Path) -> None:
    """Where, what was found, what is allowed; then how many; exit code 1."""
    (tmp_path / "bad.yaml").write_text(FIVE_MISTAKES)
    finished = await run(tmp_path, "check", "-c", "bad.yaml")
    assert finished.code == 1
    for line, place in (
        (3, "server.listne"),
        (5, "session.lifetime"),
        (7, "apps.shop.platform"),
        (9, "upstreams.orders.targets[0]"),
        (11, "routes[0].path"),
    ):
        assert f"bad.yaml:{line}: {place}: found " in finished.err
    assert re.search(r"^bad\.yaml: refused: [5-9] problems$", finished.err, re.MULTILINE)
    assert "Traceback" not in finished.err


async def test_check_of_good_settings(tmp_path: Path) -> None:
    """Exit code 0, and what there is; made keys are accepted in production."""
    write_settings(tmp_path)
    finished = await run(tmp_path, "check")
    assert_clean(finished)
    good, checked = finished.out.splitlines()
    assert good.startswith("gateway.yaml: good: 5 apps, 1 upstreams, ")
    assert "there is no session store yet; not tried: addresses, platforms, upstreams" in checked
    assert not (tmp_path / "data" / "gateway.db").exists()
    (tmp_path / "live.yaml").write_text(production(80, 81))
    env = {**await made_keys(tmp_path), "APP_SECRET": "s3cr3t-of-the-app"}
    assert_clean(await run(tmp_path, "check", "-c", "live.yaml", env=env))


async def test_check_looks_for_missing_encryption_keys(tmp_path: Path) -> None:
    """As start-up would; a store that is away is told and is no problem."""
    write_settings(tmp_path)
    store = SqliteStore(tmp_path / "data" / "gateway.db", now)
    await store.open()
    good = await run(tmp_path, "check")
    assert_clean(good)
    assert "the session store needs no other" in good.out
    await store.note_sealing_key("0123abcd", now() + 86400)
    await store.close()
    refused = await run(tmp_path, "check")
    assert (refused.code, refused.out) == (1, "")
    assert "session.encryption_keys: found no key with the id 0123abcd" in refused.err
    settings = yaml.safe_load((tmp_path / "gateway.yaml").read_text())
    settings["session"] = {**settings.get("session", {}), "store": "redis://127.0.0.1:1"}
    (tmp_path / "gateway.yaml").write_text(yaml.safe_dump(settings))
    away = await run(tmp_path, "check")
    assert_clean(away)
    assert "not checked against the session store: store_unavailable" in away.out


async def test_a_settings_file_that_is_not_there(tmp_path: Path) -> None:
    """Every command says which, with exit code 1."""
    for words in (("check",), ("serve",), ("dev",), ("explain", "GET", "/"), ("simulate",)):
        finished = await run(tmp_path, *words)
        assert finished.code == 1
        assert "gateway.yaml: No such file or directory" in finished.err
        assert "gateway.yaml: refused: 1 problem\n" in finished.err


async def test_warnings_are_said(tmp_path: Path) -> None:
    """On stderr, by every command that loads the settings."""
    text = (TOP / "config" / "single-machine.yaml").read_text()
    (tmp_path / "gateway.yaml").write_text(text)
    keys = await made_keys(tmp_path)
    env = {
        "GATEWAY_SIGNING_KEY": keys["SIGNING_KEY"],
        "GATEWAY_ENCRYPTION_KEY": keys["ENCRYPTION_KEY"],
        "WECHAT_APP_SECRET": "s3cr3t-of-the-app",
    }
    finished = await run(tmp_path, "check", env=env)
    assert_clean(finished)
    assert "warning: " in finished.err


# -- explain ----------------------------------------------------------------------------------


async def test_explain_says_route_decision_and_headers(tmp_path: Path) -> None:
    """Without a token it is refused, with one it says what the service would get."""
    async with run_gateway(tmp_path) as running:
        token = await running.login()
        openid = (await running.codes())["openid"]
        refused = await run(tmp_path, "explain", "GET", "/api/orders/1")
        words = ("explain", "get", "http://shop.example/api/orders/1?x=1")
        forwarded = await run(tmp_path, *words, "-H", f"Authorization: Bearer {token}")
        assert running.upstream.requests == [], "nothing is sent"
    assert refused.code == 1
    assert refused.out.splitlines() == [
        "decision  refused: 401 session_missing",
        "because   log in, and send the token as `Authorization: Bearer <token>`",
        "route     /api/ (session: required)",
        "upstream  main",
    ]
    assert forwarded.code == 0
    lines = forwarded.out.splitlines()
    assert lines[0] == "decision  forwarded"
    assert "route     /api/ (session: required)" in lines
    assert "sends     GET /orders/1?x=1" in lines
    assert "          Host: shop.example" in lines
    assert f"          X-OpenId: {openid}" in lines
    assert token not in forwarded.out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["GET", "/hello.txt"], 0, "decision  answered by the gateway: respond"),
        (["POST", "/login"], 0, "decision  answered by the gateway: login"),
        (["GET", "http://gw"], 1, "route_not_found"),
        (["GET", "http://gw?next=/public/x"], 1, "route_not_found"),
        (["GET", "http://gw/public/x?u=http://a/b"], 0, "sends     GET /public/x?u=http://a/b"),
        (["GET", "/public/x?u=http://a/b"], 0, "sends     GET /public/x?u=http://a/b"),
        (["GET", "https://u:p@gw:80/public/x"], 0, "          Host: gw:80"),
        (["GET", "/public/x", "-H", "host: other"], 0, "          Host: other"),
        (["GET", "/public/x", "--peer", "10.1.2.3"], 0, "          X-Real-IP: 10.1.2.3"),
        (["GET", "/public/x", "-H", "X-Odd: 你"], 0, "          X-Odd: 你"),
        (["GET", "public/x"], 1, "400 bad_request"),
        (["GET", "/public/../x"], 1, "target_refused"),
        (["GET", "/public/x#y"], 1, "target_refused"),
        (["GET", "/公共"], 1, "400 bad_request"),
    ],
)
async def test_explain_reads_urls_as_they_are_typed(
    tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    """The target is taken raw; the host comes from the URL, a header, or where we listen."""
    write_settings(tmp_path)
    finished = await run(tmp_path, "explain", *words)
    assert finished.code == code, finished.err
    assert said in finished.out


async def test_explain_on_a_unix_socket_needs_no_host(tmp_path: Path) -> None:
    """There the host is localhost."""
    write_settings(tmp_path)
    settings = yaml.safe_load((tmp_path / "gateway.yaml").read_text())
    settings["server"]["listen"] = "unix:gw.sock"
    (tmp_path / "gateway.yaml").write_text(yaml.safe_dump(settings))
    finished = await run(tmp_path, "explain", "GET", "/public/x")
    assert "          Host: localhost" in finished.out


# -- simulate, keygen, usage ------------------------------------------------------------------


@pytest.mark.parametrize("words", [["--any-app"], []])
async def test_simulate_serves_the_platforms(tmp_path: Path, words: list[str]) -> None:
    """With the settings' apps, or with any and no settings at all."""
    if not words:
        write_settings(tmp_path)
    (port,) = free_ports(1)
    async with running_command(
        tmp_path, "simulate", "--listen", f"127.0.0.1:{port}", *words
    ) as command:
        await command.until(f"simulator listens on http://127.0.0.1:{port}")
        assert await get(port, "/_sim/calls") == 200
        assert_clean(await command.stop(signal.SIGINT))


async def test_a_simulators_taken_port(tmp_path: Path) -> None:
    """The same one line."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        finished = await run(tmp_path, "simulate", "--any-app", "--listen", address)
    assert (finished.code, finished.err.count("\n")) == (1, 1)
    assert "address already in use" in finished.err


async def test_keys_are_new_each_time(tmp_path: Path) -> None:
    """Long enough, and nothing else is printed."""
    first, second = await asyncio.gather(made_keys(tmp_path), made_keys(tmp_path))
    assert set(first.values()).isdisjoint(second.values())
    assert len(first["SIGNING_KEY"]) == 64


async def test_keygen_prints_lines_of_settings(tmp_path: Path) -> None:
    """Without a kind: one key of each, to paste."""
    finished = await run(tmp_path, "keygen")
    assert_clean(finished)
    keys = yaml.safe_load(finished.out)["session"]
    assert {kind: len(one) for kind, one in keys.items()} == {
        "signing_keys": 1,
        "encryption_keys": 1,
    }


@pytest.mark.parametrize(
    "words",
    [
        ["nothing"],
        ["serve", "extra"],
        ["serve", "--no-such-option"],
        ["explain"],
        ["explain", "GET"],
        ["explain", "GET", "/", "-H", "no colon"],
        ["explain", "GET", "/", "-H", ": no name"],
        ["explain", "GET", "/", "-H", "two words: x"],
        ["explain", "GET", "/", "-H", "X-A: a\r\nX-B: b"],
        ["explain", "GET", "http://[::1/"],
        ["keygen", "identity-card"],
        ["sessions", "nothing"],
        ["sessions", "block", "wechat"],
        ["simulate", "--listen", "8090"],
        ["simulate", "--listen", "127.0.0.1:x"],
        ["simulate", "--listen", "127.0.0.1:99999"],
    ],
)
async def test_wrong_usage_is_2(tmp_path: Path, words: list[str]) -> None:
    """With the usage on stderr and no traceback."""
    write_settings(tmp_path)
    finished = await run(tmp_path, *words)
    assert finished.code == 2
    assert "Usage: " in finished.err
    assert "Traceback" not in finished.err


async def test_help_lists_the_commands(tmp_path: Path) -> None:
    """And the version is told."""
    finished = await run(tmp_path, "-h")
    assert_clean(finished)
    for command in ("serve", "dev", "check", "explain", "simulate", "keygen"):
        assert re.search(rf"^  {command} ", finished.out, re.MULTILINE)
    assert re.search(r"version \d+\.\d+", (await run(tmp_path, "--version")).out)
