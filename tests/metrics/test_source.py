"""The metrics of a gateway of one process."""

import asyncio

from gateway.metrics.counts import Counts
from gateway.metrics.ledger import Ledger
from gateway.metrics.source import own_source
from tests.support.metrics import OPENMETRICS, PLAIN, made_visit, value

LABELS = {
    "route": "/orders/",
    "upstream": "orders",
    "method": "GET",
    "status": "200",
    "error": "",
    "platform": "wechat",
}


async def test_each_scrape_tells_what_is_counted_now() -> None:
    """Nothing is counted twice, however often somebody asks."""
    counts = Counts()
    read = own_source(counts, Ledger("1"))
    for number in (1, 2, 3):
        counts.record(made_visit())
        text, content_type = await read("")
        assert content_type == PLAIN
        assert value(text, "gateway_requests_total", **LABELS) == number
    assert value(text, "gateway_workers") == 1


async def test_scrapes_may_come_at_once() -> None:
    """In either format, all the same numbers."""
    counts = Counts()
    counts.record(made_visit())
    read = own_source(counts, Ledger("1"))
    accepts = ["", "application/openmetrics-text; version=1.0.0"] * 5
    found = await asyncio.gather(*(read(accept) for accept in accepts))
    assert [content_type for _, content_type in found] == [PLAIN, OPENMETRICS] * 5
    for text, _ in found[::2]:
        assert value(text, "gateway_requests_total", **LABELS) == 1
