"""What is allowed in the settings but rarely meant: warnings for start-up and `gateway check`.

Pure. Routes have their own file.
"""

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv6Address
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from gateway.settings.apps import Platform
from gateway.settings.findings import Loc, render
from gateway.settings.model import Settings
from gateway.settings.route_advice import advise_routes

# Where clouds hand out credentials to whoever asks from inside: most, containers of AWS, Alibaba,
# Tencent, AWS over IPv6.
METADATA_HOSTS = frozenset(
    {
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "169.254.0.23",
        "fd00:ec2::254",
        "metadata.tencentyun.com",
        "metadata.google.internal",
    }
)
_APP_ID_PREFIXES: Mapping[str, Platform] = {"wx": "wechat", "tt": "douyin", "ks": "kuaishou"}
# How a shell, Windows and Kubernetes write a variable; none of them is ours.
_VARIABLE = re.compile(r"\$NAME|%NAME%|\$\(NAME\)".replace("NAME", "[A-Za-z_][A-Za-z0-9_]*"))


def advise(settings: Settings) -> Iterator[str]:
    """Name what an operator should look at twice."""
    yield from _metadata_targets(settings)
    yield from _trusted_everybody(settings)
    yield from _incomplete_login_paths(settings)
    yield from _secrets_like_variables(settings)
    yield from _app_ids_of_others(settings)
    yield from advise_routes(settings)


def _metadata_targets(settings: Settings) -> Iterator[str]:
    for name, upstream in settings.upstreams.items():
        for index, target in enumerate(upstream.targets):
            if target.host is not None and _unmapped(target.host) in METADATA_HOSTS:
                place = render(("upstreams", name, "targets", index))
                yield f"{place}: {target.host} is a cloud's metadata service"


def _unmapped(host: str) -> str:
    """Write an IPv4 address as such, also where it stands in an IPv6 one (RFC 4291 2.5.5.2)."""
    try:
        mapped = IPv6Address(host.strip("[]")).ipv4_mapped
    except ValueError:
        return host
    return str(mapped or IPv6Address(host.strip("[]")))


def _trusted_everybody(settings: Settings) -> Iterator[str]:
    for index, network in enumerate(settings.server.trusted_proxies):
        if network.prefixlen == 0:
            yield f"server.trusted_proxies[{index}]: {network} lets every client say who it is"


def _incomplete_login_paths(settings: Settings) -> Iterator[str]:
    for index, path in enumerate(settings.endpoints.login or ()):
        if "{" in path and "{app_id}" not in path:
            yield f"endpoints.login[{index}]: {path} does not hold {{app_id}}"


def _secrets_like_variables(settings: Settings) -> Iterator[str]:
    """A variable nobody expands is a secret everybody can guess; its text is not shown."""
    for loc, secret in _secrets(settings, ()):
        if _VARIABLE.fullmatch(secret):
            yield (
                f"{render(loc)}: the secret looks like the name of a variable, and is taken as it"
                " stands; did you mean ${NAME} or {env: NAME}?"
            )
    if _VARIABLE.fullmatch(urlsplit(settings.session.store.url).password or ""):
        yield (
            "session.store: the password looks like the name of a variable, and is taken as it"
            " stands; did you mean ${NAME}?"
        )


def _secrets(value: object, loc: Loc) -> Iterator[tuple[Loc, str]]:
    """Go through all secrets that are text."""
    match value:
        case SecretStr():
            yield loc, value.get_secret_value()
        case BaseModel():
            for name in type(value).model_fields:
                yield from _secrets(getattr(value, name), (*loc, name))
        case Mapping():
            for key, entry in value.items():
                yield from _secrets(entry, (*loc, key))
        case tuple():
            for index, entry in enumerate(value):
                yield from _secrets(entry, (*loc, index))


def _app_ids_of_others(settings: Settings) -> Iterator[str]:
    """Name app ids of another platform; Baidu's App Key may begin with anything."""
    for name, app in settings.apps.items():
        owner = _APP_ID_PREFIXES.get((app.app_id or "")[:2])
        if owner not in (None, app.platform):
            place = render(("apps", name, "app_id"))
            yield f"{place}: {app.app_id} looks like an app id of {owner}, not of {app.platform}"
