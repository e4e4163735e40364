"""Settings of the stages on which families F, G, P and R play: routes, hosts, trusted peers."""

from collections.abc import Mapping

from tests.attack.stage import PREFIXES

ODDITIES = ("double_slash", "encoded_slash", "semicolon")
HEALTH_PATH = "/_up"
FEW_LOGINS = 6
"""Logins of one address that the stages of family F take; two are the stage's own."""


def _public(path: str, **more: object) -> dict[str, object]:
    return {"path": path, "upstream": "main", "session": "none"} | more


def _usual() -> list[dict[str, object]]:
    """The routes of `stage.usual_settings`, written out again: a list is replaced as a whole."""
    kinds = {"public": "none", "optional": "optional", "required": "required"}
    routes = [
        _public(f"{prefix.decode()}/", session=kinds[kind])
        for kind, (prefix, _) in PREFIXES.items()
    ]
    routes[-1]["strip_prefix"] = "/api"
    return [*routes, {"path": "/admin/", "upstream": "admin"}]


def _open() -> list[dict[str, object]]:
    """Routes that allow odd spellings, one each and all."""
    return [
        _public("/ds/", allow=["double_slash"]),
        _public("/es/", allow=["encoded_slash"]),
        _public("/sc/", allow=["semicolon"]),
        _public("/all/", allow=[*ODDITIES]),
        _public("/cut/", allow=[*ODDITIES], strip_prefix="/cut"),
        _public("/exact"),
        _public("/re.x/"),
        _public("/get/", methods=["GET"]),
        _public("/post/", methods=["POST"]),
        {"path": "/both/", "upstream": "main", "methods": ["GET"], "session": "none"},
        {"path": "/both/", "upstream": "admin", "methods": ["POST"]},
    ]


def _hosts(count: int) -> list[dict[str, object]]:
    """As many hosts, each with a public and a required route, and as many more paths."""
    routes: list[dict[str, object]] = []
    for number in range(count):
        host = f"h{number}.test"
        routes.append(_public("/only/", host=host))
        routes.append({"path": "/only/admin/", "upstream": "admin", "host": host})
        routes.append({"path": f"/p{number}/", "upstream": "admin"})
    routes.append(_public("/only/", host="xn--fiqs8s.test"))
    routes.append(_public("/only/", host="::1"))
    return routes


_TRUSTING: dict[str, object] = {"trusted_proxies": ["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"]}
_FEW: dict[str, object] = {"limits": {"per_ip": f"{FEW_LOGINS}/1m"}}
SETTINGS: Mapping[str, Mapping[str, object]] = {
    # The most lenient catch-all there can be: whatever is not refused arrives somewhere (P20).
    "paths": {
        "routes": [*_usual(), *_open(), _public("/", allow=[*ODDITIES])],
        "server": {"health_path": HEALTH_PATH},
    },
    "hosts-10": {"routes": [*_usual(), *_open(), *_hosts(10)]},
    "hosts-500": {"routes": [*_usual(), *_open(), *_hosts(500)]},
    "behind": {"server": _TRUSTING, "login": _FEW},
    "behind-real-ip": {
        "server": _TRUSTING | {"client_ip_header": "x-wx-client-ip"},
        "login": _FEW,
    },
    "few-logins": {"login": _FEW},
}
"""By name; laid over the usual settings."""
