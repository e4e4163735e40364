"""What operators are told of a store's fault, beside the outcome that clients get.

An outcome's detail goes to clients, who have no use for the state of our store. A store that knows
more says so in a `ToldError` among the causes; only such words are logged, for others may hold an
address or a password.
"""

from collections.abc import Iterator

from gateway.errors import GatewayError


class ToldError(Exception):
    """A cause whose words are fit for logs: ours, without addresses, names or secrets."""


def tell(error: GatewayError) -> str:
    """Write an outcome for logs, with the words of the first cause that may be told."""
    for cause in _causes(error):
        if isinstance(cause, ToldError):
            return f"{error} ({cause})"
    return str(error)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__
    while cause is not None:
        yield cause
        cause = cause.__cause__
