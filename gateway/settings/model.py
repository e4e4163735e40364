"""All settings together: the shape of `gateway.yaml`.

Pure; design section 3. Make one with `gateway.settings.build`, which also checks what concerns
several parts at once.
"""

from collections.abc import Mapping
from typing import Literal

from gateway.settings.apps import AppSettings
from gateway.settings.part import Name, Part, WideName
from gateway.settings.routes import RouteSettings
from gateway.settings.scalars import Folder, given
from gateway.settings.server import (
    AdminSettings,
    EndpointsSettings,
    LogsSettings,
    ReservedSettings,
    ServerSettings,
)
from gateway.settings.sessions import (
    DecryptSettings,
    IdentitySettings,
    LoginSettings,
    SessionSettings,
)
from gateway.settings.upstreams import UpstreamSettings


class Settings(Part):
    """Everything the gateway is told."""

    environment: Literal["production", "development"] = "production"
    """Only in development: http in `api_base`, the devtools' code, keys made where none is set."""
    server: ServerSettings = given({})
    admin: AdminSettings = given({})
    endpoints: EndpointsSettings = given({})
    session: SessionSettings = given({})
    login: LoginSettings = given({})
    decrypt: DecryptSettings = given({})
    identity: IdentitySettings | None = None
    apps: Mapping[Name, AppSettings] = given({})
    apps_dir: Folder | None = None
    """A folder with one file per app; the file's name is the app's."""
    upstreams: Mapping[WideName, UpstreamSettings] = given({})
    routes: tuple[RouteSettings, ...] = ()
    reserved: ReservedSettings = given({})
    logs: LogsSettings = given({})
