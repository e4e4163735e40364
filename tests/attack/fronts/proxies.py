"""The proxies that are compared and that stand in front of us: nginx, haproxy, Caddy.

Default settings, but for what the comparison needs: HTTP/1.1 and kept connections to the service
(nginx's default is HTTP/1.0, which could not be out of step), the client's Host, no log. They must
know neither us nor our names.
"""

from tests.attack.services.running import Program

NGINX = Program(
    name="nginx",
    needs="nginx",
    command=("nginx", "-p", "@FOLDER@", "-c", "@SETTINGS@", "-e", "stderr"),
    version=("nginx", "-v"),
    settings="""
daemon off;
worker_processes 1;
pid @FOLDER@/nginx.pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path @FOLDER@/body;
    proxy_temp_path @FOLDER@/proxy;
    fastcgi_temp_path @FOLDER@/fastcgi;
    uwsgi_temp_path @FOLDER@/uwsgi;
    scgi_temp_path @FOLDER@/scgi;
    upstream service {
        server 127.0.0.1:@UPSTREAM@;
        keepalive 16;
    }
    server {
        listen 127.0.0.1:@PORT@;
        location / {
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
        }
    }
}
""",
)
HAPROXY = Program(
    name="haproxy",
    needs="haproxy",
    command=("haproxy", "-db", "-f", "@SETTINGS@"),
    version=("haproxy", "-v"),
    settings="""
defaults
    mode http
    timeout connect 5000
    timeout client 50000
    timeout server 50000
frontend public
    bind 127.0.0.1:@PORT@
    default_backend service
backend service
    server service 127.0.0.1:@UPSTREAM@
""",
)
CADDY = Program(
    name="Caddy",
    needs="caddy",
    command=("caddy", "run", "--config", "@SETTINGS@", "--adapter", "caddyfile"),
    version=("caddy", "version"),
    settings="""
{
    admin off
    auto_https off
}
http://:@PORT@ {
    bind 127.0.0.1
    reverse_proxy 127.0.0.1:@UPSTREAM@
}
""",
)
FRONTS = (NGINX, HAPROXY, CADDY)
SETTINGS = {
    "nginx": "`proxy_pass` with `proxy_http_version 1.1`, `keepalive 16`, `Host $http_host`",
    "haproxy": "`mode http`, the time-outs of Debian's example",
    "Caddy": "`reverse_proxy`",
}
"""What differs from the defaults, for the page."""
