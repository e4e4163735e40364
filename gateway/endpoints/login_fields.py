"""Reads what a login says: fields of body, query and path, and the key for asking again.

Decides which of them count and what may stand in them. It must not know apps or platforms.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.endpoints.body import read_form
from gateway.endpoints.call import Call
from gateway.errors import GatewayError

MAX_FIELD_CHARACTERS = 2048
"""Codes are 32 to some hundred characters; Baidu's federated ones are the longest."""

_ABSENT = (None, "")
"""Null and the empty text mean that a field was not sent."""
_CODES = ("code", "anonymous_code")
_KEY_FIELD = b"idempotency-key"
_KEY = re.compile(rb"[ -~]{16,64}")  # shorter ones could be guessed, or chosen twice


@dataclass(frozen=True, slots=True)
class LoginFields:
    """What a login says, checked: text or absent."""

    app: str | None
    platform: str | None
    code: str | None = field(repr=False)
    anonymous_code: str | None = field(repr=False)


def read_login(call: Call) -> LoginFields:
    """Read a login's fields. Raises: GatewayError bad_request."""
    fields = {name: value for name, value in call.fields.items() if value not in _ABSENT}
    if call.path_fields:
        query = _read_query(call.admitted.target.query or "")
        _merge(fields, {name: query[name] for name in _CODES if query.get(name)})
        renamed = {"app_id": "app"}
        _merge(fields, {renamed.get(name, name): text for name, text in call.path_fields.items()})
    return LoginFields(
        app=_text(fields, "app"),
        platform=_text(fields, "platform"),
        code=_text(fields, "code"),
        anonymous_code=_text(fields, "anonymous_code"),
    )


def read_key(call: Call) -> str | None:
    """Read the `Idempotency-Key`: one, of 16 to 64 printable ASCII characters.

    Raises: GatewayError bad_request.
    """
    found = [value for name, value in call.request.raw_headers if name.lower() == _KEY_FIELD]
    if not found:
        return None
    if len(found) > 1 or not _KEY.fullmatch(found[0]):
        detail = "send one Idempotency-Key, of 16 to 64 printable ASCII characters"
        raise GatewayError("bad_request", detail)
    return found[0].decode("ascii")


def _read_query(query: str) -> Mapping[str, object]:
    """Read a query that clients joined by hand: a plus is a plus, for no code holds a space."""
    return read_form(query.replace("+", "%2B"))


def _merge(fields: dict[str, object], more: Mapping[str, object]) -> None:
    for name, value in more.items():
        if fields.setdefault(name, value) != value:
            raise GatewayError("bad_request", f"`{name}` is said twice, differently")


def _text(fields: Mapping[str, object], name: str) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_FIELD_CHARACTERS or not value.isprintable():
        raise GatewayError("bad_request", f"`{name}` must be a text of printable characters")
    return value
