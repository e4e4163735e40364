"""Other people's proxies in front of us and servers behind us: no pair of readers may make a
request out of bytes that were none, give an answer to the wrong request, or count a body otherwise.

Run alone it prints its section. What is amiss with one case is decided in `chains_judge`.
"""

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, groupby

from tests.attack.catalogue import FAMILIES
from tests.attack.chains_framing import BUILT
from tests.attack.chains_framing import cases as framing_cases
from tests.attack.chains_judge import OF_READING, Sink, play_through
from tests.attack.fronts.proxies import FRONTS
from tests.attack.judge import Variant
from tests.attack.model import WITH_SESSION, Case
from tests.attack.outcomes import pick
from tests.attack.play import Aim
from tests.attack.recorder import recording
from tests.attack.report import Section, table
from tests.attack.services.behind import behind_routes, host_of
from tests.attack.services.programs import FRAMING, NODE
from tests.attack.services.running import Program, Service, running
from tests.attack.stage import Stage, on_stage
from tests.attack.stages import HOST

WAIT_S = 0.7
SETTLE_S = 0.01
FAMILIES_HERE = ("T", "P", "H")
TRUSTING = {"server": {"trusted_proxies": ["127.0.0.1/32"]}}


@dataclass(frozen=True, slots=True)
class Chain:
    """A way through: perhaps a proxy, our gateway, and what stands behind.

    `front` alone before the recorder, where `is_alone`: what it makes of bytes by itself.
    """

    name: str
    front: str
    aim: Aim
    stage: Stage
    sink: Sink
    is_alone: bool = False


@dataclass(slots=True)
class Tally:
    """What came of one chain: cases, requests that reached the service, faults by case."""

    chain: Chain
    cases: dict[str, int] = field(default_factory=dict)
    arrived: int = 0
    faults: dict[str, list[str]] = field(default_factory=dict)


@contextlib.contextmanager
def chains(wait_s: float = WAIT_S) -> Iterator[list[Chain]]:
    """Run everything that is installed; list each way through us, by what stands behind."""
    with contextlib.ExitStack() as stack:
        services = [stack.enter_context(running(each)) for each in _here(FRAMING)]
        found: list[Chain] = []
        for name, settings, sinks in (
            ("ours", {}, []),
            ("ours, trusting", TRUSTING, []),
            ("ours", behind_routes(services), [Sink.serving(each) for each in services]),
        ):
            stage = stack.enter_context(on_stage(name, settings, HOST))
            fronts = [stack.enter_context(running(each, stage.port)) for each in _here(FRONTS)]
            found += _through(stage, fronts, sinks or [Sink.recording(stage)], wait_s)
        yield found


def _through(
    stage: Stage, fronts: Sequence[Service], sinks: Sequence[Sink], wait_s: float
) -> Iterator[Chain]:
    for sink in sinks:
        host = HOST if sink.service is None else host_of(sink.service)
        if sink.service is not None:  # without one these are the rows themselves
            aim = Aim(stage.port, host, wait_s=wait_s)
            yield Chain(f"{stage.name} → {sink.name}", "", aim, stage, sink)
        for front in fronts:
            aim = Aim(front.port, host, wait_s=wait_s)
            name = f"{front.name} → {stage.name} → {sink.name}"
            yield Chain(name, front.name, aim, stage, sink)


@contextlib.contextmanager
def alone(program: Program, stage: Stage, wait_s: float = WAIT_S) -> Iterator[list[Chain]]:
    """Run a front without us, before a recorder and before a server; the users are the stage's."""
    with contextlib.ExitStack() as stack:
        recorder = stack.enter_context(recording())
        sinks = [(recorder.port, Sink(f"recorder of {program.name}", {"main": recorder}))]
        for server in _here([NODE]):
            service = stack.enter_context(running(server))
            sinks.append((service.port, Sink(f"{server.name} of {program.name}", {}, service)))
        found = []
        for port, sink in sinks:
            front = stack.enter_context(running(program, port))
            aim = Aim(front.port, HOST, wait_s=wait_s, settle_s=SETTLE_S)
            name = f"{program.name} alone"
            found.append(Chain(name, program.name, aim, stage, sink, is_alone=True))
        yield found


def _here(programs: Iterable[Program]) -> list[Program]:
    return [each for each in programs if each.is_here]


def cases(family: str) -> list[Variant]:
    """A family's cases on the usual stage, with the session's identity where the row has that."""
    entries = (each for each in FAMILIES[family].entries() if isinstance(each, Case))
    return [
        Variant(each, *WITH_SESSION[0]) if WITH_SESSION[0] in each.over else pick(each)
        for each in entries
        if each.stage == "usual"
    ]


def all_cases() -> list[Variant]:
    """Families T, P and H, and framing built for this."""
    families = (cases(family) for family in FAMILIES_HERE if family in FAMILIES)
    return [*framing_cases(), *chain.from_iterable(families)]


def run(way: Chain, variants: Iterable[Variant]) -> Tally:
    """Play these through a chain; replies of a scripted service only where one stands behind."""
    tally, before = Tally(way), None
    for variant in variants:
        if variant.case.replies and way.sink.service is not None:
            continue
        kind = "built" if variant.case.row == BUILT else variant.case.row[0]
        tally.cases[kind] = tally.cases.get(kind, 0) + 1
        played = play_through(variant, way.stage, way.aim, way.sink, before)
        before = played.sent if way.sink.service is not None else None
        tally.arrived += played.arrived
        if played.amiss:
            tally.faults[variant.name] = [*played.amiss]
    return tally


def run_all(found: Sequence[Chain], every: Sequence[Variant]) -> list[Tally]:
    """Run them; those with one service take turns."""
    groups = [[*each] for _, each in groupby(found, lambda way: (way.stage.name, way.sink.name))]
    with ThreadPoolExecutor(len(groups)) as pool:
        tallies = [*pool.map(lambda group: [run(way, every) for way in group], groups)]
    return [tally for group in tallies for tally in group]


def own_faults(tally: Tally, every: Iterable[Tally]) -> list[str]:
    """A chain's faults, less those where its front alone misreads the same bytes."""
    misread = {name for name, front in _misread_alone(every) if front == tally.chain.front}
    return [
        f"{tally.chain.name}, {name}: {fault}"
        for name, faults in tally.faults.items()
        for fault in faults
        if not (fault.startswith(OF_READING) and name in misread)
    ]


def _misread_alone(every: Iterable[Tally]) -> list[tuple[str, str]]:
    """List cases, and the fronts that make other requests of them by themselves."""
    found = {
        (name, tally.chain.front): None
        for tally in every
        for name, faults in tally.faults.items()
        if tally.chain.is_alone and any(each.startswith(OF_READING) for each in faults)
    }
    return list(found)


def measure() -> Section:
    """Play framing, families T, P and H through every chain."""
    with contextlib.ExitStack() as stack:
        found = stack.enter_context(chains())
        for program in _here(FRONTS):
            found += stack.enter_context(alone(program, found[0].stage))
        done = run_all(found, all_cases())
    kinds = list(done[0].cases)
    ours = [each for each in done if not each.chain.is_alone]
    faults = {each.chain.name: own_faults(each, done) for each in ours}
    rows = [
        (
            each.chain.name,
            *(each.cases.get(kind, 0) for kind in kinds),
            *(each.arrived, len(faults[each.chain.name])),
        )
        for each in ours
    ]
    text = _words() + table(("chain", *kinds, "requests that arrived", "faults"), rows)
    failures = tuple(line for each in faults.values() for line in each)
    return Section("Chains", text + _others(done), failures)


def _others(done: Iterable[Tally]) -> str:
    """Name what fronts make of bytes by themselves: no service behind can know better."""
    fronts: dict[str, list[str]] = {}
    for name, front in _misread_alone(done):
        fronts.setdefault(name, []).append(front)
    rows = [(name, ", ".join(found)) for name, found in fronts.items()]
    return f"{_ALONE}{table(('case', 'who reads it otherwise'), rows)}" if rows else ""


def _words() -> str:
    programs = (*FRONTS, *FRAMING)
    lines = [f"{each.name} {each.ask_version()}" for each in programs if each.is_here]
    missing = [each.name for each in programs if not each.is_here]
    left_out = f" Not installed here: {', '.join(missing)}." if missing else ""
    return f"{_WORDS}{', '.join(lines)}.{left_out}\n\n"


_WORDS = """
Proxies in front of the gateway (which trusts them, or does not), real servers behind it. Each
server runs a small application that writes down every request it thinks it got. A fault is: bytes
that are no request, a request that was not sent, more requests than were sent, a body other than
what was sent, an identity that is nobody's, an answer to the wrong request. What was sent is what
RFC 9112 lets a recipient find in the bytes. "Built": framing made of every spelling of a coding, a
length, a chunk's size and its end, each with a second request that one reading finds and another
takes for a body. Programs:
"""

_ALONE = """
A proxy in front may find requests where the standard lets nobody find them. It sends each of them
on as a whole, so no service behind can know: these are its own, as it makes them without us too,
and not counted above.

"""

if __name__ == "__main__":
    section = measure()
    print(section.text, *section.failures, sep="\n")
    sys.exit(1 if section.failures else 0)
