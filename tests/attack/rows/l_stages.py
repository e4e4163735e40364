"""The settings of the stages that L and X rows play on."""

from collections.abc import Mapping

from tests.attack.rows.s_stages import ROUTES

SETTINGS: Mapping[str, Mapping[str, object]] = {
    "text-log": {
        "logs": {"format": "text"},
        "upstreams": {
            "gone": {"targets": ["http://127.0.0.1:1"]},
            "gone-by-name": {"targets": ["http://gone.invalid:80"]},
            "gone-by-path": {"targets": ["unix:/nonexistent/gone.sock"]},
        },
        "routes": [
            *ROUTES,
            *(
                {"path": f"/{name}/", "upstream": name, "session": "none"}
                for name in ("gone", "gone-by-name", "gone-by-path")
            ),
        ],
    },
}
