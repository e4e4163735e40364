"""D4, D5, D7 to D10: what takes many connections, memory, metrics or files to see."""

import re
import resource
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from tests.attack.asking import Told, settled, tell, until
from tests.attack.crowd import crowd
from tests.attack.model import Check, Entry, Reply
from tests.attack.rows.d_stages import CONNECTIONS, CONNECTIONS_PER_IP
from tests.attack.slow import memory_mib, workers
from tests.attack.stage import Stage, ask

_HALF = b"GET /public/x HTTP/1.1\r\nHost: gw.test\r\nX-A: "
_WHOLE = b"GET /public/large HTTP/1.1\r\nHost: gw.test\r\n\r\n"
_VISITOR = "127.0.0.2"
_FEW_FILES = 5
_SPARES = 5
"""Files that are free again by then: the store's, the log's, libuv's own reserve."""
_LARGE_BYTES = 16 * 1024 * 1024
_STREAMS = 4
_HELD_MIB = 2.0
"""What may wait for one slow reader, at most."""
_NOISE_MIB = 8.0
"""How far resident memory moves by itself."""


def entries() -> Iterator[Entry]:
    """List them."""
    yield Check(row="D4", title="connections of an address", run=_one_address, stage="small")
    yield Check(row="D4", title="connections of all addresses", run=_all_addresses, stage="small")
    yield Check(row="D5", title="slow downloads hold little", run=_downloads)
    yield Check(row="D5", title="uploads hold little", run=_uploads)
    yield Check(row="D7", title="junk cookies write no lines", run=_no_line_for_a_cookie)
    yield Check(row="D8", title="metrics do not grow with clients' words", run=_metrics_stand)
    yield Check(row="D9", title="a storm of failures", run=_storm, stage="dead")
    yield Check(row="D10", title="no files left", run=_no_files)


# -- D4 -------------------------------------------------------------------------------------------


def _one_address(stage: Stage) -> list[str]:
    return _capped(stage, CONNECTIONS_PER_IP + 10, ("127.0.0.3",), CONNECTIONS_PER_IP)


def _all_addresses(stage: Stage) -> list[str]:
    """The visitor gets in when others have left: there is nobody to be put out for him."""
    with crowd(stage.port) as many:
        many.join(CONNECTIONS + 10, [f"127.0.1.{number}" for number in range(1, 9)], _HALF)
        is_held = until(lambda: many.count() <= CONNECTIONS)
        left = many.count()
    amiss = [] if is_held and left >= CONNECTIONS - 3 else [f"{left} connections were held"]
    return amiss + _served_again(stage)


def _capped(stage: Stage, count: int, sources: Sequence[str], bound: int) -> list[str]:
    with crowd(stage.port) as many:
        many.join(count, sources, _HALF)
        is_held = until(lambda: many.count() <= bound)
        amiss = [] if is_held else [f"{many.count()} connections are held"]
        if many.count() < bound:
            amiss.append(f"only {many.count()} connections are held")
        if _visit(stage).status != 200:
            amiss.append("another address is not served")
    return amiss + _served_again(stage)


def _served_again(stage: Stage) -> list[str]:
    """When the crowd has left."""
    is_served = until(lambda: _may_visit(stage, "127.0.0.3"))
    return [] if is_served else ["nobody is served afterwards"]


def _visit(stage: Stage, source: str = _VISITOR) -> Told:
    return tell(stage, "GET /public/visit", source=source)


def _may_visit(stage: Stage, source: str) -> bool:
    try:
        return _visit(stage, source).status == 200
    except OSError:
        return False


# -- D5 -------------------------------------------------------------------------------------------


def _downloads(stage: Stage) -> list[str]:
    """What is not read waits at the service."""
    service = stage.services["main"]
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % _LARGE_BYTES
    before = memory_mib(stage)
    service.say([Reply(head + bytes(_LARGE_BYTES), closes=True)] * _STREAMS)
    sockets = [socket.create_connection(("127.0.0.1", stage.port), 5) for _ in range(_STREAMS)]
    try:
        for one in sockets:
            one.sendall(_WHOLE)
            one.recv(1000)  # the answer has begun
        is_served = until(lambda: _visit(stage).status == 200)
        grown = memory_mib(stage) - before
    finally:
        for one in sockets:
            one.close()
        service.say(())
    amiss = [] if grown < _STREAMS * _HELD_MIB + _NOISE_MIB else [f"it grew by {grown:.0f} MiB"]
    return amiss if is_served else [*amiss, "nobody else is served"]


def _uploads(stage: Stage) -> list[str]:
    """What comes goes on at once."""
    service = stage.services["main"]
    before = memory_mib(stage)
    headers = {"Host": stage.host.decode()}
    for _ in range(_STREAMS):
        status, _ = ask(stage.port, "POST", "/public/x", headers, bytes(_LARGE_BYTES))
        service.take()
        if status != 200:
            return [f"an upload was answered {status}"]
    grown = memory_mib(stage) - before
    return [] if grown < _NOISE_MIB else [f"it grew by {grown:.0f} MiB"]


# -- D7, D8 ---------------------------------------------------------------------------------------


def _no_line_for_a_cookie(stage: Stage) -> list[str]:
    """A request is one line of the log, whatever its cookies look like."""
    before = settled(stage).count("\n")
    junk = "; ".join(f"=\x01{number}=;;" for number in range(300)).replace("\x01", "")
    tell(stage, "GET /public/junk", headers={"Cookie": junk})
    lines = settled(stage).count("\n") - before
    return [] if lines <= 2 else [f"{lines} lines for a request and the mark behind it"]


def _metrics_stand(stage: Stage) -> list[str]:
    """Series for routes and codes, none for paths, hosts, apps and methods that clients make up."""
    _make_up(stage, "first")
    before = _series(stage)
    for number in range(20):
        _make_up(stage, f"word{number}")
    after = _series(stage)
    told = [each for each in after if re.search("word[0-9]", each)]
    amiss = [f"a client's word is told: {each}" for each in told[:3]]
    return amiss if after <= before else [*amiss, f"{len(after - before)} new series"]


def _make_up(stage: Stage, word: str) -> None:
    tell(stage, f"GET /{word}")
    tell(stage, f"GET /public/{word}?{word}={word}")
    tell(stage, "GET /public/x", headers={"Host": f"{word}.test"})
    tell(stage, f"{word.upper()} /public/x")
    tell(stage, "POST /login", body={"app": word, "code": word})
    tell(stage, "POST /login", body={"platform": word, "code": word})
    tell(stage, "GET /api/x", token=f"gw1.{word}")


def _series(stage: Stage) -> set[str]:
    """Names and labels of all that is told, when the worker has told it."""
    settled(stage)
    _, page = ask(stage.admin_port, "GET", "/metrics", {})
    lines = page.decode().splitlines()
    return {line.rpartition(" ")[0] for line in lines if line and not line.startswith("#")}


# -- D9, D10 --------------------------------------------------------------------------------------


def _storm(stage: Stage) -> list[str]:
    """Each gets its refusal; nobody else is hurt; no request is tried over and over."""
    codes = {tell(stage, f"GET /dead/{number}").code for number in range(100)}
    amiss = [] if codes == {"upstream_unavailable"} else [f"codes {sorted(map(str, codes))}"]
    if _visit(stage).status != 200:
        amiss.append("a living service is not reached")
    tried = _counted(stage, "gateway_upstream_connect_failures_total")
    if tried > 2 * 100:
        amiss.append(f"{tried:.0f} connects for 100 requests")
    return amiss


def _counted(stage: Stage, name: str) -> float:
    _, page = ask(stage.admin_port, "GET", "/metrics", {})
    found = re.findall(rf"^{name}\{{[^}}]*\}} ([0-9.e+]+)$", page.decode(), re.MULTILINE)
    return sum(map(float, found))


def _no_files(stage: Stage) -> list[str]:
    """Who is connected is served on; who is not is closed; afterwards all is as before."""
    [worker] = workers(stage)
    old = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    with closing(socket.create_connection(("127.0.0.1", stage.port), 5)) as kept:
        amiss = [] if _answers(kept) else ["it is not served beforehand"]
        few = len([*Path(f"/proc/{worker}/fd").iterdir()]) + _FEW_FILES
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (few, old[1]))
        try:
            with crowd(stage.port) as many:
                many.join(50, ("127.0.0.3",), _HALF)
                if not until(lambda: many.count() <= _FEW_FILES + _SPARES):
                    amiss.append(f"{many.count()} connections are held")
                if not _answers(kept):
                    amiss.append("who was connected is not served any more")
        finally:
            resource.prlimit(worker, resource.RLIMIT_NOFILE, old)
    return amiss + _served_again(stage)


def _answers(kept: socket.socket) -> bool:
    kept.sendall(b"GET /public/kept HTTP/1.1\r\nHost: gw.test\r\n\r\n")
    return kept.recv(65536).startswith(b"HTTP/1.1 200 ")
