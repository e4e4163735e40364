"""Decides whom a call means, and what a block says. Pure: what was sent in, values out.

An app is found as at login, by its name or its platform's id, so that a new name in the settings
changes nothing. An app that is no longer configured is named by `app_id`, which is taken as it is.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime

from gateway.endpoints.apps import Apps
from gateway.errors import GatewayError
from gateway.sessions.model import Subject
from gateway.sessions.store import Block

SUBJECT_FIELDS = frozenset({"platform", "app", "app_id", "openid"})
BLOCK_FIELDS = SUBJECT_FIELDS | {"until", "reason"}
MAX_REASON_CHARACTERS = 200
_END_OF_TIME = 253_402_300_800.0
"""The year 10000: who comes so far has sent milliseconds."""
# RFC 3339 5.6; `fromisoformat` alone reads dates without a time or a zone, too.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


def read_object(body: bytes) -> Mapping[str, object]:
    """Read a body as a JSON object. Raises: GatewayError bad_request."""
    try:
        read = json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise GatewayError("bad_request", "send a JSON object") from None
    if not isinstance(read, dict):
        raise GatewayError("bad_request", "send a JSON object")
    return read


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse a name said twice: readers differ in which one counts (RFC 8259 4)."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name said twice")
    return fields


def check_names(names: list[str], known: frozenset[str]) -> None:
    """Refuse a name said twice or not known: a slip there would do more than was meant.

    Raises: GatewayError bad_request.
    """
    if len(set(names)) != len(names) or not known.issuperset(names):
        takes = f"only, and once: {', '.join(sorted(known))}" if known else "nothing here"
        raise GatewayError("bad_request", f"this call takes {takes}")


def read_subjects(fields: Mapping[str, object], apps: Apps) -> tuple[Subject, ...]:
    """Read `platform`, `app` or `app_id`, and `openid`; an openid may be a user's or a guest's.

    Raises: GatewayError bad_request, app_unknown.
    """
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


def name_of_app(apps: Apps, app: str, platform: str | None) -> str:
    """Turn a platform's app id into our name; a name that is no longer ours may be sought.

    Raises: GatewayError bad_request when several fit.
    """
    return apps.resolve(app, platform).name if apps.fitting(app, platform) else app


def read_block(fields: Mapping[str, object]) -> Block:
    """Read `until` (seconds since the epoch, or RFC 3339; null: for good) and `reason`.

    Raises: GatewayError bad_request.
    """
    reason = read_text(fields, "reason") or ""
    if len(reason) > MAX_REASON_CHARACTERS or not reason.isprintable():
        raise GatewayError(
            "bad_request", f"`reason` is up to {MAX_REASON_CHARACTERS} printable characters"
        )
    until = fields.get("until")
    return Block(reason, None if until is None else _read_moment(until))


def _read_moment(value: object) -> float:
    moment = _parse_moment(value)
    if moment is None or not 0 < moment < _END_OF_TIME:
        raise GatewayError(
            "bad_request",
            "`until` is in seconds since the epoch, or as 2030-12-31T23:59:59+08:00, or null",
        )
    return float(moment)


def _parse_moment(value: object) -> float | None:
    if isinstance(value, str) and _MOMENT.fullmatch(value.upper()):
        try:
            return datetime.fromisoformat(value.upper()).timestamp()
        except ValueError:
            return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return None


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
