"""Names parts that must be compiled and are not: the gateway does not run without them.

It knows no settings. aiohttp's parser in Python lets pass what the one in C refuses, and nearly
every hole of its parsers was there (attacks.md C1); the other two have no second half.
"""

from collections.abc import Iterator
from importlib import import_module

from aiohttp import http_parser

_COMPILED = {"httptools": "the parser of services' answers", "uvloop": "the event loop"}
_REMEDY = "install the gateway's wheels anew, for this Python and this machine"


def missing_parts() -> Iterator[str]:
    """Say of each what is missing, and the remedy."""
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        yield (
            "aiohttp's parser in C is missing, and the one in Python lets too much pass:"
            f" {_REMEDY}; the variable AIOHTTP_NO_EXTENSIONS must not be set"
        )
    for name, purpose in _COMPILED.items():
        try:
            import_module(name)
        except ImportError:
            yield f"{name}, {purpose}, cannot be loaded: {_REMEDY}"
