"""Where the admin listener gets its metrics from."""

from collections.abc import Awaitable, Callable

from gateway.metrics.counts import Counts
from gateway.metrics.ledger import Ledger

MetricsSource = Callable[[str], Awaitable[tuple[bytes, str]]]
"""Takes the value of `Accept`; gives the text and its content type."""


def own_source(counts: Counts, ledger: Ledger, worker: str = "0") -> MetricsSource:
    """Serve the counts of the process that is asked: there is no other worker."""

    async def read(accept: str) -> tuple[bytes, str]:
        ledger.update(worker, counts.snapshot())
        return ledger.render(accept)

    return read
