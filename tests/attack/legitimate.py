"""Requests of real clients, odd as they are, that must arrive unchanged: target, fields, body.

The other half of the suite: what refuses too much is no gateway either. The requests themselves
stand in `legitimate_targets`, `legitimate_messages` and `legitimate_clients`.
"""

from tests.attack import legitimate_clients, legitimate_messages, legitimate_targets
from tests.attack.judge import run, variants
from tests.attack.report import Section, table
from tests.attack.stages import Stages

PARTS = {
    "paths and queries": tuple(legitimate_targets.cases()),
    "fields, bodies, methods, versions": tuple(legitimate_messages.cases()),
    "clients of the platforms, and their uploads": tuple(legitimate_clients.cases()),
}
CASES = tuple(case for part in PARTS.values() for case in part)


def measure() -> Section:
    """Send all of them; the report's section."""
    rows: list[tuple[object, ...]] = []
    failures: list[str] = []
    with Stages() as stages:
        for name, part in PARTS.items():
            before = len(failures)
            each = [variant for case in part for variant in variants(case)]
            for variant in each:
                amiss = run(variant, stages.get(variant.case.stage))
                failures += [f"{variant.name}: {what}" for what in amiss]
            rows.append((name, len(part), len(each), len(failures) - before))
    head = ("requests that must pass", "requests", "sent", "hurt")
    return Section("Real clients", f"{table(head, rows)}{_WORDS}", tuple(failures))


_WORDS = """
Each is sent on a public route and on one that requires a session, as a connection's first request
and as its second; target, body and every end-to-end field must arrive byte for byte.
"""

if __name__ == "__main__":
    section = measure()
    print(section.text, *section.failures, sep="\n")
