"""Looks for secrets in everything an error could print."""

import traceback

from gateway.errors import GatewayError


def leaked(error: GatewayError, *private: str) -> list[str]:
    """Those of the private texts that the error could print."""
    said = everything_said(error)
    return [text for text in private if text in said]


def everything_said(error: GatewayError) -> str:
    """The error, its chain and the gateway's frames with their local variables, as one text."""
    formatted = traceback.TracebackException.from_exception(error, capture_locals=True)
    formatted.stack = traceback.StackSummary.from_list(
        [frame for frame in formatted.stack if "/gateway/platforms/" in frame.filename]
    )
    chain = [repr(link) for link in (error.__cause__, error.__context__) if link is not None]
    said = [str(error), repr(error), error.detail, str(error.platform_code), *chain]
    return "\n".join([*formatted.format(), *said])
