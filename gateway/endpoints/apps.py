"""Decides which configured app a login means. An unknown one never leaves the house. Pure."""

from collections.abc import Iterable, Mapping

from gateway.errors import GatewayError
from gateway.platforms.base import PlatformApp


class Apps:
    """The configured apps, by name and by the platform's id."""

    def __init__(self, apps: Iterable[PlatformApp]) -> None:
        self._all = tuple(apps)
        self._by_name: Mapping[str, PlatformApp] = {app.name: app for app in self._all}

    def resolve(self, app: str | None, platform: str | None) -> PlatformApp:
        """Find the one app meant by a name or platform id, a platform, or neither.

        Raises: GatewayError app_unknown; bad_request when several fit.
        """
        fitting = [each for each in self._named(app) if platform in (None, each.platform)]
        if not fitting:
            raise GatewayError("app_unknown", "no configured app has this name and platform")
        if len(fitting) > 1:
            raise GatewayError("bad_request", "several apps fit: say which in `app`")
        return fitting[0]

    def _named(self, app: str | None) -> Iterable[PlatformApp]:
        if app is None:
            return self._all
        if app in self._by_name:
            return (self._by_name[app],)
        return tuple(each for each in self._all if each.app_id == app)
