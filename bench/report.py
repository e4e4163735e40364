"""docs/performance.md out of what was found: ratios first, raw numbers, the machine. Pure.

It measures nothing. The section on what was tried is kept by hand, in bench/steps.md.
"""

from collections.abc import Iterator

from bench import prose
from bench.goals import find_goals
from bench.load import SMALL_64
from bench.parts import SERVICE
from bench.peers.golang import GOAUTH
from bench.peers.nginx import PLAIN
from bench.peers.python import OURS
from bench.results import LoadResult, Results
from bench.stats import FULL
from bench.stores.page import render_sessions
from bench.text import hundredth, mib, ratio, table, tenth, whole
from bench.workers import WorkersResult


def render(results: Results, steps: str) -> str:
    """Return the page; `steps` is the section kept by hand."""
    parts = [
        prose.HEAD,
        *_goals(results),
        *_ratios(results),
        *_parts(results),
        *_left_out(results),
        steps.strip() + "\n",
        *_raw(results),
        _how(results),
        *_machine(results),
        prose.REPEAT,
    ]
    return "\n".join(parts)


def _goals(results: Results) -> Iterator[str]:
    yield "## What was asked, and what was measured\n"
    head = ("", "asked", "aimed at", "measured", "met")
    yield table(head, (goal.cells() for goal in find_goals(results)))


# -- ratios ---------------------------------------------------------------------------------------


def _ratios(results: Results) -> Iterator[str]:
    yield "## Ratios\n"
    main = results.load(SMALL_64.name)
    if main is not None:
        yield f"{_sentence(main)}\n"
        yield from _warning(main)
        yield _main_table(results, main)
    others = [each for each in results.loads if each is not main]
    if others:
        yield "The other loads, ÷ nginx plain proxy, and by CPU in brackets:\n"
        yield _matrix(results, others)


def _warning(found: LoadResult) -> Iterator[str]:
    """Say so where the measure itself was held back by the load."""
    measure = found.rows.get(PLAIN.name)
    if measure is not None and measure.busy < FULL:
        yield prose.NOT_FULL.format(busy=f"{measure.busy:.0%} busy")


def _sentence(found: LoadResult) -> str:
    title = found.load.title[0].upper() + found.load.title[1:]
    return f"{title}; {len(found.rounds)} rounds of {found.seconds} s."


def _main_table(results: Results, found: LoadResult) -> str:
    head = ("proxy", "what it does", "÷ nginx", "lowest – highest", "by CPU", "÷ Go auth proxy")
    rows = []
    for peer in results.peers:
        row = found.rows.get(peer.name)
        if row is not None:
            low, high = row.spread
            to_go = ratio(found.ratio(peer.name, GOAUTH.name))
            span = f"{ratio(low)} – {ratio(high)}"
            cells = (ratio(row.ratio), span, ratio(row.cpu_ratio), to_go)
            rows.append((_title(peer.name, peer.title), peer.note, *cells))
    return table(head, rows, words=2)


def _title(name: str, title: str) -> str:
    return f"**{title}**" if name == OURS.name else title


def _matrix(results: Results, loads: list[LoadResult]) -> str:
    head = ("proxy", *(each.load.title for each in loads))
    rows = []
    for peer in results.peers:
        found = [each.rows.get(peer.name) for each in loads]
        if any(found):
            cells = (f"{ratio(r.ratio)} ({ratio(r.cpu_ratio)})" if r else "–" for r in found)
            rows.append((_title(peer.name, peer.title), *cells))
    return table(head, rows)


# -- the other parts ------------------------------------------------------------------------------


def _parts(results: Results) -> Iterator[str]:
    if results.latency is not None:
        yield f"## Latency at half load: {whole(results.latency.rate)} requests a second\n"
        yield _latency(results)
    if results.idle is not None:
        idle = results.idle
        yield f"## {whole(idle.connections)} idle client connections\n"
        yield prose.IDLE.format(uss=tenth(idle.uss_each_kib), rss=tenth(idle.rss_each_kib))
    if results.sockets:
        yield "## WebSockets\n"
        yield _sockets(results)
    if results.streams:
        yield "## Streams in constant memory\n"
        yield _streams(results)
    if results.workers:
        yield "## Two workers\n"
        yield _workers(results)
    if results.stores:
        yield render_sessions(results.stores)


def _latency(results: Results) -> str:
    assert results.latency is not None
    found = results.latency.latencies
    alone = found[SERVICE]
    titles = {peer.name: peer.title for peer in results.peers}
    head = ("", "p50, ms", "p99, ms", "added p50, ms", "added p99, ms", "requests")
    rows = (
        (
            _title(name, titles.get(name, "the service alone")),
            hundredth(one.p50_ms),
            hundredth(one.p99_ms),
            hundredth(one.p50_ms - alone.p50_ms),
            hundredth(one.p99_ms - alone.p99_ms),
            whole(one.requests),
        )
        for name, one in found.items()
    )
    return table(head, rows)


def _sockets(results: Results) -> str:
    through = results.sockets[OURS.name]
    direct = results.sockets[SERVICE]
    head = ("", "messages a second", "CPU time of one, µs")
    rows = (
        ("**through this gateway**", whole(through.per_s), f"{tenth(through.cpu_us)} (gateway)"),
        ("directly", whole(direct.per_s), f"{tenth(direct.cpu_us)} (service)"),
    )
    said = prose.SOCKETS.format(sockets=whole(through.sockets))
    return f"{said}\n{table(head, rows)}"


def _streams(results: Results) -> str:
    head = ("", "MiB a second", "growth of the peak, MiB", "held back, MiB", "constant")
    rows = (
        (
            one.title,
            mib(one.per_s),
            mib(one.growth_bytes),
            "" if one.held_bytes is None else mib(one.held_bytes),
            "yes" if one.is_constant else "no",
        )
        for one in results.streams
    )
    return table(head, rows) + prose.HELD


def _workers(results: Results) -> str:
    head = ("cores", "workers", "requests a second", "CPU time of a request, µs", "÷ one worker's")
    rows = (
        (
            f"{len(each.own)}, {_beside(each)}",
            str(count),
            whole(row.per_s),
            tenth(row.cpu_us),
            ratio(row.cpu_us / each.rows[1].cpu_us),
        )
        for each in results.workers
        for count, row in each.rows.items()
    )
    return prose.WORKERS + table(head, rows)


def _beside(result: WorkersResult) -> str:
    return "shared with the load" if set(result.own) & set(result.beside) else "the load on another"


def _left_out(results: Results) -> Iterator[str]:
    if results.skipped:
        yield "## Left out\n"
        yield table(("what", "why"), ((name, _line(why)) for name, why in _reasons(results)), 2)


def _reasons(results: Results) -> Iterator[tuple[str, str]]:
    titles = {peer.name: peer.title for peer in results.peers}
    return ((titles.get(name, name), why) for name, why in results.skipped.items())


def _line(text: str) -> str:
    """Return a text as one cell: without line ends and bars, and not too long."""
    return " ".join(text.split()).replace("|", "/")[:200]


# -- raw numbers, machine -------------------------------------------------------------------------


def _raw(results: Results) -> Iterator[str]:
    yield "## Raw numbers\n"
    for found in results.loads:
        yield f"{_sentence(found)}\n"
        yield from _warning(found)
        yield _raw_table(results, found)


def _raw_table(results: Results, found: LoadResult) -> str:
    head = ("proxy", "requests a second", "MiB a second", "CPU time, µs", "busy", "failed")
    titles = {peer.name: peer.title for peer in results.peers}
    rows = (
        (
            _title(name, titles[name]),
            whole(row.per_s),
            mib(row.bytes_per_s),
            tenth(row.cpu_us),
            f"{row.busy:.0%}",
            whole(row.failed),
        )
        for name, row in found.rows.items()
    )
    return table(head, rows)


def _how(results: Results) -> str:
    shared = "load and service share another"
    others = shared if results.cores.count < 3 else "load and service have one each"
    return prose.HOW.format(others=others, sessions=whole(results.sessions))


def _machine(results: Results) -> Iterator[str]:
    yield "## The machine\n"
    yield table(("what", "which"), results.machine.items(), 2)
