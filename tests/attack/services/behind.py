"""The gateway's settings for several services behind it at once: one host for each."""

from collections.abc import Iterable, Mapping

from tests.attack.services.running import Service
from tests.attack.stage import usual_settings


def host_of(service: Service) -> bytes:
    """The host whose requests go to this service: as long as the usual one, as lengths count it."""
    return b"%b.test" % service.name[:2].lower().encode()


def behind_routes(services: Iterable[Service]) -> Mapping[str, object]:
    """Return what is laid over the usual settings: its routes again for each service's host."""
    usual = usual_settings(0, 0, 0, {"main": 0, "admin": 0})["routes"]
    assert isinstance(usual, list)
    more = [
        {**route, "upstream": _name(each), "host": host_of(each).decode()}
        for each in services
        for route in usual
    ]
    targets = {_name(each): {"targets": [f"http://127.0.0.1:{each.port}"]} for each in services}
    return {"upstreams": targets, "routes": [*usual, *more]}


def _name(service: Service) -> str:
    return host_of(service).partition(b".")[0].decode()
