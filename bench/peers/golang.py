"""Go's peers, each on one processor (GOMAXPROCS=1): a minimal auth proxy, Caddy, oauth2-proxy."""

import base64
import hashlib
import http.client
import os
import secrets
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

from bench.machine import find_program
from bench.peers.base import CACHE, Peer, Place, SkippedError, quoted
from bench.process import Program

ONE_PROCESSOR = {"GOMAXPROCS": "1"}
OAUTH2_PROXY = "github.com/oauth2-proxy/oauth2-proxy/v7@latest"
_SOURCE = Path(__file__).parent / "goauth"
_BUILD_S = 600
_USER, _PASSWORD = "bench", "bench"  # of a server that lives for minutes on 127.0.0.1

_CADDYFILE = """
{{
    admin off
    auto_https off
}}
http://127.0.0.1:{port} {{
    bind 127.0.0.1
    reverse_proxy 127.0.0.1:{origin} {{
        transport http {{
            keepalive_idle_conns 1024
            keepalive_idle_conns_per_host 1024
            compression off
        }}
    }}
}}
"""


def _go(*arguments: str, folder: Path, env: Mapping[str, str]) -> None:
    """Run Go. Raises: SkippedError with its last words."""
    path = find_program("go")
    if path is None:
        raise SkippedError("Go is not installed")
    done = subprocess.run(
        [path, *arguments],
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=_BUILD_S,
        check=False,
    )
    if done.returncode != 0:
        words = done.stderr.strip().splitlines() or ["no word"]
        raise SkippedError(f"`go {arguments[0]}` failed: {words[-1].strip()}")


def _goauth(place: Place) -> list[Program]:
    CACHE.mkdir(exist_ok=True)
    binary = CACHE / "goauth"
    _go("build", "-buildvcs=false", "-o", str(binary), ".", folder=_SOURCE, env={})
    env = {**ONE_PROCESSOR, "BENCH_KEY": place.sessions.token_key()}
    return [place.on_proxy_core(binary, str(place.port), str(place.origin_port), env=env)]


def _caddy(place: Place) -> list[Program]:
    path = find_program("caddy")
    if path is None:
        raise SkippedError("Caddy is not installed")
    text = _CADDYFILE.format(port=place.port, origin=place.origin_port)
    config = place.write("Caddyfile", text)
    homes = {name: quoted(place.folder) for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "HOME")}
    env = {**ONE_PROCESSOR, **homes}
    return [place.on_proxy_core(path, "run", "--adapter", "caddyfile", "--config", config, env=env)]


# -- oauth2-proxy ---------------------------------------------------------------------------------


def _oauth2_proxy(place: Place) -> list[Program]:
    binary = CACHE / "oauth2-proxy"
    if not binary.exists():
        CACHE.mkdir(exist_ok=True)
        _go("install", OAUTH2_PROXY, folder=CACHE, env={"GOBIN": str(CACHE)})
    digest = hashlib.sha1(_PASSWORD.encode()).digest()  # noqa: S324 - htpasswd's {SHA} is SHA-1
    line = f"{_USER}:{{SHA}}{base64.b64encode(digest).decode()}\n"
    users = place.write("htpasswd", line)
    return [place.on_proxy_core(binary, *_flags(place, users), env=ONE_PROCESSOR)]


def _flags(place: Place, users: Path) -> list[str]:
    """Return its flags: a cookie session, checked on every request; all its logs off."""
    return [
        f"--http-address=127.0.0.1:{place.port}",
        f"--upstream=http://127.0.0.1:{place.origin_port}/",
        f"--htpasswd-file={users}",
        "--email-domain=*",
        "--client-id=bench",
        "--client-secret=bench",
        f"--cookie-secret={secrets.token_hex(16)}",
        "--cookie-secure=false",
        "--request-logging=false",
        "--auth-logging=false",
        "--standard-logging=false",
    ]


def _sign_in(place: Place) -> str:
    """Sign in with the htpasswd form and return the session's cookie. Raises: SkippedError."""
    connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=10)
    try:
        body = urlencode({"username": _USER, "password": _PASSWORD, "rd": "/"})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/oauth2/sign_in", body, headers)
        cookies = connection.getresponse().headers.get_all("Set-Cookie") or []
    finally:
        connection.close()
    if not cookies:
        raise SkippedError("its sign-in gave no cookie")
    return "; ".join(cookie.partition(";")[0] for cookie in cookies)


GOAUTH = Peer(
    "goauth",
    "minimal Go auth proxy",
    "`httputil.ReverseProxy` and an HMAC check of the same tokens; no sessions, no log",
    _goauth,
)
CADDY = Peer("caddy", "Caddy, plain proxy", "no check, no log", _caddy)
OAUTH2 = Peer(
    "oauth2-proxy",
    "oauth2-proxy",
    "a cookie session from its htpasswd sign-in; all its logs off",
    _oauth2_proxy,
    _sign_in,
    "/ping",
)
