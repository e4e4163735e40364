"""Decides whom a revocation means. Pure: a body in, subjects out; it asks no store.

An app is found as at login, by its name or its platform's id, so that a new name in the settings
changes nothing. An app that is no longer configured is named by `app_id`, which is taken as it is.
"""

import json
from collections.abc import Mapping

from gateway.endpoints.apps import Apps
from gateway.errors import GatewayError
from gateway.sessions.model import Subject


def read_subjects(body: bytes, apps: Apps) -> tuple[Subject, ...]:
    """Read `platform`, `app` or `app_id`, and `openid`; an openid may be a user's or a guest's.

    Raises: GatewayError bad_request, app_unknown.
    """
    fields = _read_object(body)
    platform, openid = read_text(fields, "platform"), read_text(fields, "openid")
    app, app_id = read_text(fields, "app"), read_text(fields, "app_id")
    if not platform or not openid or bool(app) == bool(app_id):
        raise GatewayError(
            "bad_request", "name the subject by `platform`, `app` or `app_id`, and `openid`"
        )
    app_id = app_id or apps.resolve(app, platform).app_id
    return (
        Subject(platform, app_id, "user", openid),
        Subject(platform, app_id, "anonymous", openid),
    )


def _read_object(body: bytes) -> Mapping[str, object]:
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        raise GatewayError("bad_request", "send a JSON object") from None
    if not isinstance(read, dict):
        raise GatewayError("bad_request", "send a JSON object")
    return read


def read_text(fields: Mapping[str, object], name: str) -> str | None:
    """Return a field's text, None where there is no such field.

    Half a surrogate pair is no text: UTF-8 cannot write it, nor can a store (RFC 8259 8.2).
    Raises: GatewayError bad_request.
    """
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or any("\ud800" <= each <= "\udfff" for each in value):
        raise GatewayError("bad_request", f"`{name}` is not text")
    return value
