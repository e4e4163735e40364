"""Services that fold names: WSGI, PHP and CGI turn headers into variables, and several spellings
of a name into one of them. No spelling of an identity header may reach such a variable.

Run alone it prints its section. It must not know how the gateway strips names.
"""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from tests.attack.judge import Variant, firsts
from tests.attack.model import Case
from tests.attack.report import Section, table
from tests.attack.rows import h
from tests.attack.services.behind import behind_routes, host_of
from tests.attack.services.kept import KeptConnection
from tests.attack.services.programs import FOLDING
from tests.attack.services.running import Program, Record, Service, running
from tests.attack.stage import IDENTITY, Stage, folded, on_stage
from tests.attack.stages import HOST

Fields = Sequence[tuple[bytes, bytes]]
_OURS = ("x-wx-", "x-tt-", "x-session-", "x-gateway-")
"""Families of names that only a gateway says (attacks.md H11), folded."""
_KEPT = {"x-gateway-error"}


# -- programs that follow the rules, written here: they are always at hand -------------------------


def as_wsgi(fields: Fields) -> Iterator[tuple[str, str]]:
    """PEP 3333: upper case, `-` becomes `_`; several of one name are joined by commas."""
    yield from _joined((_variable(name, "-"), _text(value)) for name, value in fields)


def as_php(fields: Fields) -> Iterator[tuple[str, str]]:
    """PHP's variables: `-`, `.`, ` ` and `[` become `_`; the last of several wins."""
    yield from {_variable(name, "-. ["): _text(value) for name, value in fields}.items()


def as_cgi(fields: Fields) -> Iterator[tuple[str, str]]:
    """As httpd, lighttpd and others do for CGI: all but letters and digits becomes `_`."""
    others = "".join(chr(code) for code in range(0x21, 0x7F) if not chr(code).isalnum())
    yield from _joined((_variable(name, others), _text(value)) for name, value in fields)


def _variable(name: bytes, to_underscore: str) -> str:
    letters = ("_" if c in to_underscore else c for c in _text(name).upper())
    return "HTTP_" + "".join(letters)


def _joined(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    yield from ((name, ", ".join(values)) for name, values in found.items())


def _text(data: bytes) -> str:
    return data.decode("latin-1")


STYLES: Mapping[str, Callable[[Fields], Iterator[tuple[str, str]]]] = {
    "own, as WSGI": as_wsgi,
    "own, as PHP": as_php,
    "own, as CGI": as_cgi,
}


# -- what is looked at ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Folding:
    """A gateway, and behind it the folding services: real ones, and a recorder for our own."""

    stage: Stage
    services: tuple[Service, ...]


@contextlib.contextmanager
def folding_services(programs: Iterable[Program] = FOLDING) -> Iterator[Folding]:
    """Run those that are installed, and a gateway before them, until the block ends."""
    with contextlib.ExitStack() as stack:
        here = [each for each in programs if each.is_here]
        services = tuple(stack.enter_context(running(each)) for each in here)
        stage = stack.enter_context(on_stage("folding", behind_routes(services), HOST))
        yield Folding(stage, services)


def cases() -> tuple[Variant, ...]:
    """All bytes of family H on the usual stage: each spelling, route and session.

    They are sent on kept connections, behind one another.
    """
    usual = (each for each in h.entries() if isinstance(each, Case) and each.stage == "usual")
    return tuple(variant for case in usual for variant in firsts(case))


def check_own(every: Iterable[Variant], folding: Folding) -> Iterator[tuple[str, str]]:
    """Send variants to the recorder; fold what arrived in each style; yield style and fault."""
    stage = folding.stage
    for variant in _sent(every, stage, stage.host):
        requests = [seen for each in stage.services["main"].take() for seen in each.requests]
        for seen, (style, fold) in product(requests, STYLES.items()):
            for amiss in variables_amiss(fold(seen.fields), _identity(variant, stage)):
                yield style, f"{style}, {variant.name}: {amiss}"


def check_real(every: Iterable[Variant], folding: Folding, service: Service) -> Iterator[str]:
    """Send variants to a real service; look at the variables it had."""
    stage, arrived = folding.stage, 0
    for variant in _sent(every, stage, host_of(service)):
        for record in service.take():
            arrived += 1
            for amiss in _record_amiss(record, _identity(variant, stage)):
                yield f"{service.name}, {variant.name}: {amiss}"
    if not arrived:
        yield f"{service.name}: nothing arrived"


def _sent(every: Iterable[Variant], stage: Stage, host: bytes) -> Iterator[Variant]:
    """Send one after the other; yield each when it has been answered, or hung up on."""
    with KeptConnection(stage.port) as connection:
        for each in every:
            data = each.case.data.replace(b"@HOST@", host)
            connection.ask(stage.fill(data, each.route, each.carried))
            yield each


def _identity(variant: Variant, stage: Stage) -> tuple[tuple[bytes, bytes], ...]:
    return stage.people[variant.person].identity if variant.person is not None else ()


def _record_amiss(record: Record, identity: tuple[tuple[bytes, bytes], ...]) -> Iterator[str]:
    headers = ((name, value) for name, value in record.names if name.startswith("HTTP_"))
    yield from variables_amiss(headers, identity)
    if any(name in ("REMOTE_USER", "PHP_AUTH_USER") for name, _ in record.names):
        yield "the server names a user"


def variables_amiss(
    variables: Iterable[tuple[str, str]], identity: Sequence[tuple[bytes, bytes]]
) -> Iterator[str]:
    """Tell how variables differ from exactly this identity; no value is repeated.

    Names are read as the most lenient service does: all but letters and digits is `-`.
    """
    expected = {folded(name).decode(): value.decode("latin-1") for name, value in identity}
    found: dict[str, str] = {}
    for variable, value in variables:
        name = folded(variable.removeprefix("HTTP_").encode("latin-1", "replace")).decode()
        if "evil" in value.lower():
            yield f"the attacker's value is in {variable}"
        if name.encode() in IDENTITY and (name in found or expected.get(name) != value):
            yield f"{variable} is not the session's"
        if name.startswith(_OURS) and name not in expected.keys() | _KEPT:
            yield f"{variable} is a name that only a gateway says"
        found[name] = value
    missing = expected.keys() - found.keys()
    if missing:
        yield f"{', '.join(sorted(missing))} did not arrive"


# -- the section ----------------------------------------------------------------------------------


def measure() -> Section:
    """Send all of family H to every folding service that is installed."""
    every = cases()
    with folding_services() as folding:
        names = [*STYLES, *(each.name for each in folding.services)]
        faults: dict[str, list[str]] = {name: [] for name in names}
        for style, amiss in check_own(every, folding):
            faults[style].append(amiss)
        for service in folding.services:
            faults[service.name] += check_real(every, folding, service)
    missing = [each.name for each in FOLDING if not each.is_here]
    words = _WORDS + (f"Not installed here: {', '.join(missing)}.\n\n" if missing else "")
    head = ("service", "version", "cases", "faults")
    rows = [(name, _version(name), len(every), len(each)) for name, each in faults.items()]
    failures = tuple(line for each in faults.values() for line in each)
    return Section("Folding services", words + table(head, rows), failures)


def _version(name: str) -> str:
    return next((each.ask_version() for each in FOLDING if each.name == name), "")


_WORDS = """
All cases of family H, each on every kind of route and with every kind of session its row names,
through the gateway to services that fold names into variables. Their variables must hold exactly
the session's identity, or none.

"""

if __name__ == "__main__":
    section = measure()
    print(section.text, *section.failures, sep="\n")
    sys.exit(1 if section.failures else 0)
