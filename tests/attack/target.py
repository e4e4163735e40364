"""The suite's data at another gateway: `python -m tests.attack --target …` prints what comes of it.

Measured, not judged: it must not know what that gateway promises. That gateway must send all
requests for the host `gw.test` to a service on this machine, where this listens.
"""

import contextlib
import ipaddress
import sys
from collections.abc import Iterable, Mapping

from tests.attack.catalogue import FAMILIES
from tests.attack.comparison import SETTLE_S, WAIT_S, usual_cases, written
from tests.attack.model import Person
from tests.attack.outcomes import Proxy
from tests.attack.play import Aim, Play, play
from tests.attack.recorder import Recorder
from tests.attack.report import table
from tests.attack.stages import HOST

TOKENS: Mapping[Person, str] = {"A": "gw1.nobody.at.all", "B": "gw1.nobody.at.either"}
"""Another gateway cannot know our tokens; the bytes have the same shape."""
_PLAIN = b"GET /public/x HTTP/1.1\r\nHost: %b\r\n\r\n" % HOST


_LEGEND = """
Measured, not judged: another gateway need not promise what ours does. What deserves a look is a
case with `not sent` (a service got a request that a strict reading does not find in the bytes),
`no request` (it got bytes that are none), `wrong answer` (a later request got another's answer) or
`identity` (a spelling of an identity header came through). Tokens are made up: no session is known.

"""


def run_against(target: str, upstream_port: int, families: Iterable[str] | None = None) -> int:
    """Play the rows at HOST:PORT, listen as its service, print tables.

    Returns 1 when a plain request does not get through.
    """
    address, _, port = target.rpartition(":")
    aim = Aim(int(port), HOST, wait_s=WAIT_S, settle_s=SETTLE_S, address=address.strip("[]"))
    try:
        listening = Recorder(upstream_port, _listen_on(aim.address))
    except OSError as error:
        print(f"port {upstream_port} cannot be listened on: {error.strerror}", file=sys.stderr)
        return 1
    with contextlib.closing(listening) as recorder:
        proxy = Proxy(target, aim, {"main": recorder})
        complaint = _try(proxy)
        if complaint:
            print(complaint, file=sys.stderr)
            return 1
        outcomes = {
            family: [(each, proxy.meet(each, TOKENS)) for each in usual_cases(family)]
            for family in families or FAMILIES
        }
    print(_LEGEND + written({target: outcomes}))
    for family, found in outcomes.items():
        rows = ((variant.name, outcome.short) for variant, outcome in found)
        print(f"### {family}, case by case\n\n{table(('case', target), rows)}")
    return 0


def _listen_on(beside: str) -> str:
    """Where that gateway reaches us: on all addresses only if it is on another machine."""
    with contextlib.suppress(ValueError):  # a name
        return "127.0.0.1" if ipaddress.ip_address(beside).is_loopback else "0.0.0.0"
    return "127.0.0.1" if beside == "localhost" else "0.0.0.0"


def _try(proxy: Proxy) -> str | None:
    """Tell what is wrong when a plain request does not get through."""
    try:
        found = play(proxy.aim, proxy.services, Play([_PLAIN], (b"GET",), 1, closes=False))
    except OSError as error:
        return f"{proxy.name} cannot be reached: {error.strerror}"
    if not found.arrived["main"]:
        host = HOST.decode()
        return f"a plain GET /public/x for {host} does not reach the service on the given port"
    return None
