"""Makes new keys, as `gateway keygen` prints them; what they must look like says `settings.vault`.

It must not know where keys are kept. How they are put into use: docs/keys.md.
"""

import base64
import secrets
from typing import Literal, get_args

from gateway.settings.vault import ENCRYPTION_KEY_BYTES

Kind = Literal["signing", "encryption"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_SIGNING_KEY_BYTES = 48
"""64 characters; HMAC-SHA-256 gains nothing beyond 32 bytes (RFC 2104 3)."""


def new_key(kind: Kind) -> str:
    """Return a new random key of this kind, as the settings take it."""
    if kind == "signing":
        return secrets.token_urlsafe(_SIGNING_KEY_BYTES)
    return base64.b64encode(secrets.token_bytes(ENCRYPTION_KEY_BYTES)).decode()


def snippet() -> str:
    """Return one new key of each kind, as lines of a settings file."""
    lines = ["session:"]
    for kind in KINDS:
        lines += [f"  {kind}_keys:", f'    - "{new_key(kind)}"']
    return "\n".join(lines)
