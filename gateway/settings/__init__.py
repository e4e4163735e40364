"""What the gateway can be told: the settings' shape, types, defaults and rules.

Pure. `build` makes `Settings` from data that was already read; `gateway.loader` reads it from
files. Attribute names are the keys of `gateway.yaml` (design section 3).
"""

from gateway.settings.addresses import IPNetwork, Listen, Target
from gateway.settings.advice import advise
from gateway.settings.apps import PLATFORMS, AppSettings, Platform
from gateway.settings.build import build
from gateway.settings.model import Settings
from gateway.settings.routes import Access, Profile, ReadFile, RespondSettings, RouteSettings
from gateway.settings.server import (
    AdminSettings,
    AdminTokenSettings,
    EndpointsSettings,
    LogsSettings,
    ReservedSettings,
    ServerLimits,
    ServerSettings,
    ServerTimeouts,
)
from gateway.settings.sessions import LoginSettings, SessionSettings
from gateway.settings.units import Rate
from gateway.settings.upstreams import UpstreamSettings, UpstreamTimeouts, UpstreamTls
from gateway.settings.vault import Store

__all__ = [
    "PLATFORMS",
    "Access",
    "AdminSettings",
    "AdminTokenSettings",
    "AppSettings",
    "EndpointsSettings",
    "IPNetwork",
    "Listen",
    "LoginSettings",
    "LogsSettings",
    "Platform",
    "Profile",
    "Rate",
    "ReadFile",
    "ReservedSettings",
    "RespondSettings",
    "RouteSettings",
    "ServerLimits",
    "ServerSettings",
    "ServerTimeouts",
    "SessionSettings",
    "Settings",
    "Store",
    "Target",
    "UpstreamSettings",
    "UpstreamTimeouts",
    "UpstreamTls",
    "advise",
    "build",
]
