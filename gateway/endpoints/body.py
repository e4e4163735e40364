"""Reads the small bodies of our own endpoints: JSON or form, bounded, nothing else."""

import asyncio
import json
from collections.abc import Mapping
from typing import Never
from urllib.parse import parse_qsl

from aiohttp import web

from gateway.admission import Admitted
from gateway.answers import write_continue
from gateway.errors import GatewayError

MAX_BODY_BYTES = 64 * 1024
"""A login is a few hundred bytes; encrypted user data a few thousand."""
BODY_S = 10.0
"""64 KiB at 52 kbit/s: the slowest phone that can still use a mini-program."""
MAX_FIELDS = 32


async def read_fields(
    request: web.BaseRequest, admitted: Admitted, *, whole_s: float = BODY_S
) -> Mapping[str, object]:
    """Read the body as a mapping; an empty body is an empty mapping under any content type.

    It must have arrived after `whole_s`.

    Raises: GatewayError bad_request, body_too_large.
    """
    body = await _read(request, admitted, whole_s)
    if not body.strip():
        return {}
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type == "application/json":
        return _read_json(body)
    if media_type == "application/x-www-form-urlencoded":
        if body.lstrip().startswith(b"{"):
            raise GatewayError("bad_request", "this looks like JSON: say so in Content-Type")
        return read_form(_decode(body))
    raise GatewayError("bad_request", "send JSON or a form, and say which in Content-Type")


async def _read(request: web.BaseRequest, admitted: Admitted, whole_s: float) -> bytes:
    if not admitted.has_body:
        return b""
    if admitted.content_length is not None and admitted.content_length > MAX_BODY_BYTES:
        raise _too_large()
    if admitted.expects_continue:
        write_continue(request)
    body = bytearray()
    try:
        async with asyncio.timeout(whole_s):
            while data := await request.content.readany():
                body += data
                if len(body) > MAX_BODY_BYTES:
                    raise _too_large()
    except TimeoutError:
        raise GatewayError("bad_request", "the request body stopped arriving") from None
    except web.RequestPayloadError:
        raise GatewayError("bad_request", "the request body is malformed") from None
    return bytes(body)


def _too_large() -> GatewayError:
    return GatewayError("body_too_large", f"the body is larger than {MAX_BODY_BYTES} bytes")


def _decode(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise GatewayError("bad_request", "the body is not UTF-8") from None


def _read_json(body: bytes) -> Mapping[str, object]:
    try:
        read = json.loads(_decode(body), object_pairs_hook=_once, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise GatewayError("bad_request", "the body is not valid JSON") from None
    if not isinstance(read, dict):
        raise GatewayError("bad_request", "the body must be a JSON object")
    return read


def _refuse_constant(name: str) -> Never:
    raise ValueError(name)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Build an object whose names are each said once (RFC 8259 4: else readers differ)."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def read_form(text: str) -> Mapping[str, object]:
    """Read urlencoded fields, each said once. Raises: GatewayError bad_request."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise GatewayError("bad_request", "the form fields cannot be read") from None
    found: dict[str, object] = dict(pairs)
    if len(found) != len(pairs):
        raise GatewayError("bad_request", "a form field is there twice")
    return found
