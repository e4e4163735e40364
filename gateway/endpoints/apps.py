"""Decides which configured app is meant. An unknown one never leaves the house. Pure."""

from collections.abc import Iterable

from gateway.errors import GatewayError
from gateway.platforms.base import PlatformApp


class Apps:
    """The configured apps; names are unique, ids only within a platform."""

    def __init__(self, apps: Iterable[PlatformApp]) -> None:
        self._all = tuple(apps)

    def resolve(self, app: str | None, platform: str | None) -> PlatformApp:
        """Find the one app meant by a name or platform id, a platform, or neither.

        Raises: GatewayError app_unknown; bad_request when several fit.
        """
        fitting = self.fitting(app, platform)
        if not fitting:
            raise GatewayError("app_unknown", "no configured app has this name and platform")
        if len(fitting) > 1:
            raise GatewayError("bad_request", "several apps fit: say which in `app` and `platform`")
        return fitting[0]

    def fitting(self, app: str | None, platform: str | None) -> list[PlatformApp]:
        """All apps that a name or platform id, and a platform, may mean; None means any."""
        fitting = [each for each in self._all if platform in (None, each.platform)]
        if app is None:
            return fitting
        # A name is ours and unique; it wins over an equal id of another app.
        return [each for each in fitting if each.name == app] or [
            each for each in fitting if each.app_id == app
        ]
