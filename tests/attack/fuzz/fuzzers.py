"""All fuzzers of one process, in the order of the page; the wire's is `wiring`."""

from collections.abc import Mapping

from tests.attack.fuzz import (
    answers,
    configuration,
    framing,
    heads,
    records,
    replies,
    targets,
    tokens,
)
from tests.attack.fuzz.fuzzer import Fuzzer

FUZZERS: Mapping[str, Fuzzer] = {
    each.FUZZER.name: each.FUZZER
    for each in (targets, heads, framing, answers, replies, tokens, records, configuration)
}
