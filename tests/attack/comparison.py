"""The same data at nginx, haproxy and Caddy as plain proxies, beside ours: measured, not judged.

A plain proxy does not know our names, so it lets them through; what counts is where proxies differ
over one and the same bytes. Run alone it prints its section.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from tests.attack.catalogue import FAMILIES, TITLES
from tests.attack.fronts.proxies import FRONTS, SETTINGS
from tests.attack.judge import Variant
from tests.attack.model import Case
from tests.attack.outcomes import NOBODY, Outcome, Proxy, pick
from tests.attack.play import Aim
from tests.attack.recorder import recording
from tests.attack.report import Section, table
from tests.attack.services.running import running
from tests.attack.stage import Stage, on_stage
from tests.attack.stages import HOST

WAIT_S = 0.7
SETTLE_S = 0.01
OURS = "ours"
IN_FULL = ("T", "P")
"""Families whose cases are listed one by one, where plain proxies differ."""
Found = Mapping[str, Mapping[str, Sequence[tuple[Variant, Outcome]]]]
"""By proxy and family."""
COLUMNS: Mapping[str, Callable[[Outcome], bool]] = {
    "refused": lambda each: each.kind == "refused",
    "passed unchanged": lambda each: each.kind == "unchanged",
    "passed, changed": lambda each: each.kind == "changed",
    "closed unanswered": lambda each: each.kind == "closed",
    "not answered in time": lambda each: each.kind == "silent",
    "answered itself": lambda each: each.kind == "itself",
    "identity let through": lambda each: each.is_spoofed,
    "bytes that are no request": lambda each: each.is_malformed,
    "a request that was not sent": lambda each: each.is_unsent,
    "an answer to the wrong request": lambda each: each.is_wrong,
}


def usual_cases(family: str) -> list[Variant]:
    """The cases of a family that are bytes on the usual stage, each once."""
    entries = FAMILIES[family].entries()
    return [pick(each) for each in entries if isinstance(each, Case) and each.stage == "usual"]


@contextlib.contextmanager
def proxies() -> Iterator[tuple[Stage, list[Proxy]]]:
    """Run ours and those that are installed, each before a recorder of its own."""
    with contextlib.ExitStack() as stack:
        stage = stack.enter_context(on_stage("comparison", {}, HOST))
        known = NOBODY | {each.identity for each in stage.people.values()}
        aim = replace(stage.aim, wait_s=WAIT_S)
        found = [Proxy(OURS, aim, stage.services, frozenset(known))]
        for front in FRONTS:
            if front.is_here:
                recorder = stack.enter_context(recording())
                service = stack.enter_context(running(front, recorder.port))
                aim = Aim(service.port, HOST, wait_s=WAIT_S, settle_s=SETTLE_S)
                found.append(Proxy(front.name, aim, {"main": recorder}))
        yield stage, found


def measure() -> Section:
    """Play all that is bytes on the usual stage at all of them, side by side."""
    with proxies() as (stage, found), ThreadPoolExecutor(len(found)) as pool:
        tokens = {name: each.token for name, each in stage.people.items()}

        def ask(proxy: Proxy) -> Mapping[str, Sequence[tuple[Variant, Outcome]]]:
            return {
                family: [(each, proxy.meet(each, tokens)) for each in usual_cases(family)]
                for family in FAMILIES
            }

        names = [each.name for each in found]
        outcomes = dict(zip(names, pool.map(ask, found), strict=True))
    return Section("Comparison", _words() + written(outcomes))


# -- shown ----------------------------------------------------------------------------------------


def written(outcomes: Found) -> str:
    """Write a table for each family, and case by case those where others differ."""
    first = next(iter(outcomes.values()))
    return "\n".join(_family(family, outcomes) for family in first if first[family])


def _family(family: str, outcomes: Found) -> str:
    rows = [
        (name, *(sum(counts(each) for _, each in found[family]) for counts in COLUMNS.values()))
        for name, found in outcomes.items()
    ]
    cases = len(next(iter(outcomes.values()))[family])
    text = f"### {family}: {TITLES[family]}, {cases} cases\n\n"
    text += table(("proxy", *COLUMNS), rows)
    return text + (_one_by_one(family, outcomes) if family in IN_FULL else "")


def _one_by_one(family: str, outcomes: Found) -> str:
    names = list(outcomes)
    rows = []
    for line in zip(*(outcomes[name][family] for name in names), strict=True):
        cells = dict(zip(names, (outcome for _, outcome in line), strict=True))
        others = (each for name, each in cells.items() if name != OURS)
        if len({(each.kind, each.flags) for each in others}) > 1:
            case = line[0][0].case
            rows.append((f"{case.row} {case.title}", *(each.short for each in cells.values())))
    if not rows:
        return ""
    return _DIFFERENT + table(("case", *names), rows)


def _words() -> str:
    here = [each for each in FRONTS if each.is_here]
    lines = [f"- {each.name} {each.ask_version()}: {SETTINGS[each.name]}.\n" for each in here]
    missing = [each.name for each in FRONTS if not each.is_here]
    left_out = f"- not installed here: {', '.join(missing)}.\n" if missing else ""
    return _WORDS.format(wait=WAIT_S) + "".join(lines) + left_out + "\n"


_DIFFERENT = """
Cases over which the others differ, in more than a status or what is rewritten:

"""
_WORDS = """
Measured, not judged: other proxies as Debian ships them, with their default settings, played the
same bytes. They are plain proxies here and do not know the names we guard, so they let identity
through; Caddy's and haproxy's rewriting of names and targets is legal. Each case is played once, on
the open route without a session where the row has that. "In time" is {wait} s. A request's arrival
is read by RFC 9112 and nothing more lenient: a trailer counts as "no request". "Not sent" is a
request line that RFC 9112 lets nobody find in what was sent. "Passed" is also where only a
beginning came; nginx sends nothing on until it has the whole body, so it waits where others pass.

"""

if __name__ == "__main__":
    print(measure().text)
    sys.exit(0)
