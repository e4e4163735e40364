"""Decides how many client connections a worker takes by how many files it may open.

A process without free files reaches no service, no platform and no store any more: it is better to
close a client's connection unanswered. `fit` is pure; `raise_limit` asks the system.
"""

import resource

from gateway.settings import Settings

RESERVED = 64
"""For the store, the log, the platforms, the parent: each is a handful."""


def raise_limit() -> int:
    """Raise this process's limit of open files as far as it may; return it.

    The usual 1024 is there for programs that use select(2); we do not, and what the system allows
    beyond it is meant for servers (systemd.exec(5) on LimitNOFILE).
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def fit(settings: Settings, files: int) -> Settings:
    """Lower `connections` where the files would not do for them, the services' and our own.

    Services get what their pools may hold, but at most half of the files. One address gets at most
    half of the connections then, unless it was to have them all.
    """
    limits = settings.server.limits
    pools = sum(len(each.targets) * each.connections for each in settings.upstreams.values())
    left = max(files - RESERVED - min(pools, files // 2), 1)
    if files == resource.RLIM_INFINITY or left >= limits.connections:
        return settings
    per_ip = limits.connections_per_ip
    if per_ip < limits.connections:
        per_ip = min(per_ip, max(left // 2, 1))
    bounded = limits.model_copy(update={"connections": left, "connections_per_ip": per_ip})
    server = settings.server.model_copy(update={"limits": bounded})
    return settings.model_copy(update={"server": server})
