"""Holds what `gateway explain` says of a case's request against what the gateway does with it.

It must not know what should come of a case: `judge` does. Only one well-formed request can be
explained; whether the bytes are one is decided here and by `cutting`, never by the gateway.
"""

import asyncio
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from gateway.admission import RawRequest
from gateway.clock import now
from gateway.explain import ExplainParts, Explanation, explain
from gateway.explaining import open_explain_parts
from gateway.loader import load
from tests.attack.catalogue import FAMILIES, TITLES
from tests.attack.cutting import MalformedError, Seen, cut
from tests.attack.judge import Variant, firsts, observe
from tests.attack.model import Case
from tests.attack.play import Observation
from tests.attack.report import Section, table
from tests.attack.stage import Stage
from tests.attack.stages import Stages

REQUEST_ID = "-"
_PEER = "127.0.0.1"
_SERVICE_FAILED = frozenset({"upstream_error", "upstream_timeout", "upstream_unavailable"})
# The parser refuses it (T4); `explain` is given values, which have no spaces behind them.
_SPACED_CODING = re.compile(rb"\r\ntransfer-encoding:[^\r]*[ \t]\r", re.IGNORECASE)


class Explainers:
    """What `explain` decides with on each stage; opened once, all closed with the block."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._parts: dict[str, ExplainParts] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()

    def explain(self, stage: Stage, request: RawRequest) -> Explanation:
        """Explain a request by a stage's settings and store."""
        return self._runner.run(self._explain(stage, request))

    async def _explain(self, stage: Stage, request: RawRequest) -> Explanation:
        if stage.name not in self._parts:
            settings = load(stage.settings_path, os.environ).settings
            parts = open_explain_parts(settings, now)
            self._parts[stage.name] = await self._stack.enter_async_context(parts)
        return await explain(request, REQUEST_ID, self._parts[stage.name])


# -- what can be explained ------------------------------------------------------------------------


def explainable(cases: Iterable[Case]) -> Iterator[Variant]:
    """List the variants that must be explained; as a connection's first request only."""
    for case in cases:
        if case.explained is not False and isinstance(case.send, bytes):
            yield from firsts(case)


def request_of(variant: Variant, stage: Stage) -> RawRequest | None:
    """Read a variant's bytes as the one request they are; None when they are anything else."""
    data = stage.fill(variant.case.data, variant.route, variant.carried)
    seen = _read_loosely(data) if variant.case.explained else _read_strictly(data)
    if seen is None:
        return None
    return RawRequest(
        seen.method.decode("ascii"),
        seen.target.decode("utf-8", "surrogateescape"),
        _version(data),
        seen.fields,
        _PEER,
    )


def _version(data: bytes) -> tuple[int, int]:
    return (1, 0) if data.partition(b"\r\n")[0].endswith(b" HTTP/1.0") else (1, 1)


def _read_strictly(data: bytes) -> Seen | None:
    try:
        found = cut(_as_http_1_1(data))
    except MalformedError:
        return None
    if found is None or found[1] != len(_as_http_1_1(data)) or _SPACED_CODING.search(data):
        return None
    seen = found[0]
    return Seen(seen.method, seen.target, _fields(data), seen.body)


def _as_http_1_1(data: bytes) -> bytes:
    """Write an HTTP/1.0 request, which needs no Host, as the cutter reads it."""
    if _version(data) == (1, 1):
        return data
    line, _, rest = data.partition(b"\r\n")
    head = rest.partition(b"\r\n\r\n")[0]
    names = {each.partition(b":")[0].lower() for each in head.split(b"\r\n")}
    host = b"" if b"host" in names else b"Host: gw.test\r\n"
    return line.removesuffix(b"0") + b"1\r\n" + host + rest


def _read_loosely(data: bytes) -> Seen:
    """Read what a case says is to be explained, however odd it is."""
    method, target, _ = data.partition(b"\r\n")[0].split(b" ", 2)
    return Seen(method, target, _fields(data))


def _fields(data: bytes) -> tuple[tuple[bytes, bytes], ...]:
    head = data.partition(b"\r\n\r\n")[0]
    pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return tuple((name, value.strip(b" \t")) for name, _, value in pairs)


# -- whether the two agree ------------------------------------------------------------------------


def disagreements(variant: Variant, stage: Stage, explainers: Explainers) -> list[str] | None:
    """Explain it, do it, and say where the two differ; None: it cannot be explained."""
    request = request_of(variant, stage)
    if request is None:
        return None
    expected = explainers.explain(stage, request)
    observed = observe(variant, stage)
    return [f"{variant.name}: {each}" for each in differences(expected, observed)]


def differences(expected: Explanation, observed: Observation) -> Iterator[str]:
    """Say where an explanation and what was observed differ."""
    arrived = [
        (service, seen)
        for service, connections in observed.arrived.items()
        for each in connections
        for seen in each.requests
    ]
    final = observed.finals[-1] if observed.finals else None
    code = None if final is None else (final.value(b"x-gateway-error") or b"").decode() or None
    status = None if final is None else final.status
    if expected.outgoing is None and arrived:
        yield f"{expected.decision}, but it reached {arrived[0][0]}"
    if expected.refusal is not None:
        wanted = (expected.refusal.outcome.status, expected.refusal.code)
        if (status, code) != wanted:
            yield f"{expected.decision}, but it was answered {status} {code}"
    elif expected.outgoing is None:
        if code in ("route_not_found", "method_not_allowed", "target_refused"):
            yield f"{expected.decision}, but it was answered {status} {code}"
    else:
        yield from _forwarded_amiss(expected, arrived, code)


def _forwarded_amiss(
    expected: Explanation, arrived: list[tuple[str, Seen]], code: str | None
) -> Iterator[str]:
    if code is not None and code not in _SERVICE_FAILED:
        yield f"forwarded, but it was answered {code}"
    if not arrived and code is None:
        yield "forwarded, but nothing arrived"
    assert expected.outgoing is not None
    assert expected.route is not None
    wanted = expected.outgoing
    for service, seen in arrived:
        if service != expected.route.upstream:
            yield f"sent to {expected.route.upstream}, but it reached {service}"
        if (seen.method.decode(), seen.target.decode()) != (wanted.method, wanted.target):
            yield f"sends {wanted.method} {wanted.target}, but that was {seen.line!r}"
        # Names alone: a value may be somebody's identity.
        ours = _less_id(wanted.fields, is_explained=True)
        theirs = _less_id(seen.fields, is_explained=False)
        if ours != theirs:
            names = sorted({name for name, _ in {*ours} ^ {*theirs}})
            yield f"its fields differ, or their order: {names}"


def _less_id(
    fields: Iterable[tuple[bytes, bytes]], *, is_explained: bool
) -> list[tuple[bytes, bytes]]:
    """The fields less the value that each request has for itself; a trusted peer's stays."""
    given = [value for name, value in fields if name == b"X-Request-Id"]
    is_own = is_explained and given == [REQUEST_ID.encode()]
    is_made = not is_explained and len(given) == 1 and _is_made(given[0])
    return [
        (name, b"" if name == b"X-Request-Id" and (is_own or is_made) else value)
        for name, value in fields
    ]


def _is_made(value: bytes) -> bool:
    return len(value) == 32 and all(c in b"0123456789abcdef" for c in value)


# -- all of them ----------------------------------------------------------------------------------


@dataclass(slots=True)
class Agreed:
    """How many variants of a family agreed, how many are no one request, and what differed."""

    agreed: int = 0
    left_out: int = 0
    differences: tuple[str, ...] = ()


def compare(cases: Iterable[Case], stages: Stages, explainers: Explainers) -> Agreed:
    """Compare all variants of these cases."""
    found = Agreed()
    for variant in explainable(cases):
        stage = stages.get(variant.case.stage)
        amiss = disagreements(variant, stage, explainers)
        found.left_out += amiss is None
        found.agreed += amiss == []
        found.differences += tuple(amiss or ())
    return found


def measure() -> Section:
    """Compare all families; the report's section."""
    rows: list[tuple[object, ...]] = []
    failures: list[str] = []
    with Stages() as stages, Explainers() as explainers:
        for family, module in FAMILIES.items():
            cases = [each for each in module.entries() if isinstance(each, Case)]
            found = compare(cases, stages, explainers)
            differing = len(found.differences)
            rows.append((f"**{family}** {TITLES[family]}", found.agreed, differing, found.left_out))
            failures += found.differences
    head = ("family", "agrees", "differs", "not one well-formed request")
    return Section("gateway explain", f"{table(head, rows)}{_WORDS}", tuple(failures))


_WORDS = """
For every case that is one well-formed request in one piece, on each kind of route with each kind
of session: `gateway explain` named the same decision, status and code, or the same service, target
and header lines in the same order, as the gateway then showed; less the request id.
"""

if __name__ == "__main__":
    section = measure()
    print(section.text, *section.failures, sep="\n")
