"""The stages of family D: small limits, and a service that is not there."""

from collections.abc import Mapping

HEADERS_BYTES, TARGET_BYTES, BODY_BYTES = 2048, 256, 1024
CONNECTIONS, CONNECTIONS_PER_IP = 60, 40
PLACES = 4
"""Connections to the service."""

SETTINGS: Mapping[str, Mapping[str, object]] = {
    "small": {
        "server": {
            "limits": {
                "headers": HEADERS_BYTES,
                "target": TARGET_BYTES,
                "body": BODY_BYTES,
                "connections": CONNECTIONS,
                "connections_per_ip": CONNECTIONS_PER_IP,
            },
        },
        "upstreams": {"main": {"connections": PLACES}},
    },
    "dead": {
        "upstreams": {
            # Ports that the system never gives out to a listener of ours.
            "dead": {"targets": ["http://127.0.0.1:1", "http://127.0.0.1:2"]},
        },
        "routes": [
            {"path": "/public/", "upstream": "main", "session": "none"},
            {"path": "/dead/", "upstream": "dead", "session": "none"},
            {"path": "/api/", "upstream": "main", "strip_prefix": "/api"},
        ],
    },
}
