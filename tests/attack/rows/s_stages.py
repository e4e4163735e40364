"""The settings of the stages that S rows play on."""

from collections.abc import Mapping

from tests.attack.rows.s_platforms import app_settings

ROUTES: tuple[Mapping[str, object], ...] = (
    {"path": "/public/", "upstream": "main", "session": "none"},
    {"path": "/opt/", "upstream": "main", "session": "optional"},
    {"path": "/api/", "upstream": "main", "session": "required", "strip_prefix": "/api"},
    {"path": "/admin/", "upstream": "admin", "session": "required"},
)
"""The usual ones: a list of routes is replaced, not added to."""
_BOUND: tuple[Mapping[str, object], ...] = (
    {"path": "/for-wechat/", "upstream": "main", "platforms": ["wechat"]},
    {"path": "/for-douyin/", "upstream": "main", "platforms": ["douyin"]},
    {"path": "/for-app-a/", "upstream": "main", "apps": ["shop-wechat"]},
    {"path": "/for-app-b/", "upstream": "main", "apps": ["shop-douyin"]},
    {
        "path": "/for-nobody/",
        "upstream": "main",
        "apps": ["shop-wechat"],
        "platforms": ["douyin"],
    },
    {
        "path": "/for-b-or-nobody/",
        "upstream": "main",
        "session": "optional",
        "apps": ["shop-douyin"],
    },
)
FEW_PER_IP, FEW_PER_APP, FEW_IN_ALL = 12, 8, 10
SETTINGS: Mapping[str, Mapping[str, object]] = {
    "platforms": {
        "apps": app_settings(),
        "login": {"limits": {"per_ip": None, "per_app": None, "total": None}},
        "routes": [*ROUTES, *_BOUND],
    },
    "login-flood": {
        "login": {
            "limits": {
                "per_ip": f"{FEW_PER_IP}/1m",
                "per_app": f"{FEW_PER_APP}/1m",
                "total": f"{FEW_IN_ALL}/1m",
            }
        }
    },
}
