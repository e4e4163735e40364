"""Is the upstream's 101 the switch that the client asked for (RFC 6455 4.1)? Pure.

It decides nothing about who may ask; that is done before anything is sent.
"""

import base64
import hashlib
from collections.abc import Sequence

from gateway.admission import Admitted
from gateway.errors import GatewayError
from gateway.headers import Field, connection_tokens, values
from gateway.proxy.framing import AnswerHead

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def check_handshake(request: Admitted, answer: AnswerHead) -> None:
    """Check the upstream's 101 against what was asked (RFC 6455 4.1).

    Raises: GatewayError upstream_error, when nothing, or something else, was asked.
    """
    asked, given = request.found.copied, answer.fields
    is_good = (
        request.is_websocket
        and _switches(given)
        and _accepts(asked, given)
        and _chooses(asked, given)
        and _extends(asked, given)
    )
    if not is_good:
        raise GatewayError("upstream_error", "the service switched to what was not asked")


def _switches(given: Sequence[Field]) -> bool:
    upgrades = [value.lower() for value in values(given, b"upgrade")]
    return upgrades == [b"websocket"] and b"upgrade" in connection_tokens(given)


def _accepts(asked: Sequence[Field], given: Sequence[Field]) -> bool:
    """Whether the answer is to this very key."""
    keys = values(asked, b"sec-websocket-key")
    if len(keys) != 1:
        return False
    digest = hashlib.sha1(keys[0] + _GUID).digest()  # noqa: S324 - RFC 6455 says SHA-1
    return values(given, b"sec-websocket-accept") == [base64.b64encode(digest)]


def _chooses(asked: Sequence[Field], given: Sequence[Field]) -> bool:
    """Whether no sub-protocol was chosen, or one of those offered."""
    chosen = values(given, b"sec-websocket-protocol")
    offered = _listed(asked, b"sec-websocket-protocol")
    return not chosen or (len(chosen) == 1 and chosen[0] in offered)


def _extends(asked: Sequence[Field], given: Sequence[Field]) -> bool:
    """Whether all extensions in use were offered; their parameters are the two ends' own."""
    name = b"sec-websocket-extensions"
    return _names(_listed(given, name)) <= _names(_listed(asked, name))


def _names(extensions: list[bytes]) -> set[bytes]:
    return {each.partition(b";")[0].strip() for each in extensions}


def _listed(fields: Sequence[Field], name: bytes) -> list[bytes]:
    """The members of a comma-separated header, over all its lines; empty ones do not count."""
    members = [each.strip() for value in values(fields, name) for each in value.split(b",")]
    return [each for each in members if each]
