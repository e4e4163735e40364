"""nginx: the service behind all proxies, and three peers: plain, with a log, with auth_request."""

import sys
from pathlib import Path

from bench.machine import find_program
from bench.peers.base import Peer, Place, SkippedError, python_env, quoted
from bench.process import Program

SMALL = (
    '{"ok":true,"items":[1,2,3,4,5,6,7,8,9,10],"name":"a small answer of about one hundred bytes"}'
)
KEPT = 1024
"""Idle connections to the service that are kept: more than any load here opens."""

_FRAME = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 20000; }}
http {{
    access_log {access};
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {inner}
}}
"""

_ORIGIN = """
    sendfile on;
    default_type application/json;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location /bench/ {{ alias {folder}/www/; }}
        location = /bench/small {{ return 200 '{small}'; }}
        location = /bench/post {{ return 200 '{small}'; }}
    }}
"""

_PROXY = """
    upstream origin {{
        server 127.0.0.1:{origin};
        keepalive {kept};
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            {auth}
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
        {more}
    }}
"""

_AUTH = """
            auth_request /_auth;
            auth_request_set $openid $upstream_http_x_openid;
            proxy_set_header X-OpenId $openid;
            proxy_set_header Authorization "";
"""

_AUTH_LOCATION = """
        location = /_auth {{
            internal;
            proxy_pass http://verifier;
            proxy_pass_request_body off;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Content-Length "";
            proxy_set_header X-Original-Method $request_method;
            proxy_set_header X-Original-URI $request_uri;
        }}
    }}
    upstream verifier {{
        server 127.0.0.1:{verifier};
        keepalive {kept};
        keepalive_requests 1000000000;
"""


def _nginx() -> str:
    path = find_program("nginx")
    if path is None:
        raise SkippedError("nginx is not installed")
    return path


def origin(folder: Path, port: int, core: int) -> Program:
    """Return the service behind: small answers, files of 10 KiB and 1 MiB, a POST that is read."""
    www = folder / "www"
    www.mkdir()
    (www / "10k").write_bytes(b"0123456789abcdef" * 640)
    (www / "1m").write_bytes(b"0123456789abcdef" * 65536)
    inner = _ORIGIN.format(port=port, folder=quoted(folder), small=SMALL)
    config = folder / "origin.conf"
    config.write_text(_FRAME.format(folder=quoted(folder), access="off", inner=inner))
    return Program((_nginx(), "-p", str(folder), "-c", str(config)), (core,))


def _proxy(place: Place, access: str, auth: str = "", more: str = "") -> Program:
    inner = _PROXY.format(
        origin=place.origin_port, port=place.port, kept=KEPT, auth=auth, more=more
    )
    text = _FRAME.format(folder=quoted(place.folder), access=access, inner=inner)
    config = place.write("nginx.conf", text)
    return place.on_proxy_core(_nginx(), "-p", place.folder, "-c", config)


def _plain(place: Place) -> list[Program]:
    return [_proxy(place, "off")]


def _logged(place: Place) -> list[Program]:
    return [_proxy(place, f"{quoted(place.folder)}/access.log")]


def _auth_request(place: Place) -> list[Program]:
    port = place.spare_port()
    verifier = place.on_proxy_core(
        *(sys.executable, "-m", "bench.peers.verifier", str(port)),
        env={"BENCH_KEY": place.sessions.token_key(), **python_env()},
    )
    more = _AUTH_LOCATION.format(verifier=port, kept=KEPT)
    return [verifier, _proxy(place, "off", _AUTH, more)]


PLAIN = Peer("nginx", "nginx, plain proxy", "no check, no log: the measure of all rows", _plain)
LOGGED = Peer("nginx-log", "nginx, plain proxy, access log to a file", "no check", _logged)
AUTH_REQUEST = Peer(
    "nginx-auth",
    "nginx, auth_request",
    "asks a stub of `/auth` on the same core: aiohttp's low-level server and an HMAC; no log",
    _auth_request,
)
