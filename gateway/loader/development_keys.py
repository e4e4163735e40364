"""The keys of a development gateway: made once, kept beside the settings file.

They carry a mark, so that production refuses them wherever they were copied from.
"""

import base64
import json
import os
import secrets
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.loader.files import FileContent, read_bounded
from gateway.settings.findings import RefusedError
from gateway.settings.keys import DEVELOPMENT_MARK, DEVELOPMENT_PREFIX
from gateway.settings.vault import ENCRYPTION_KEY_BYTES, EncryptionKey, SigningKey

MAX_KEYS_FILE_BYTES = 64 * 1024


class DevelopmentKeys(BaseModel):
    """What `data/keys.json` holds."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    signing_keys: tuple[SigningKey, ...]
    encryption_keys: tuple[EncryptionKey, ...]


def load_or_make(path: Path) -> DevelopmentKeys:
    """Read the keys, making them first where there are none. Raises: RefusedError."""
    try:
        if not path.exists():
            make(path)
    except OSError as error:
        found = f"{path}: {error.strerror}"
        raise RefusedError("a folder for keys that this process can write", found) from None
    return _parse(path, read_bounded(path, MAX_KEYS_FILE_BYTES))


def make(path: Path) -> None:
    """Write new keys unless another process was faster; whoever reads sees a whole file.

    Raises: OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(_new_keys(), file, indent=2)
        # link(2) fails where the name is taken: the first process wins, the others read its keys.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def _new_keys() -> dict[str, list[str]]:
    random_bytes = secrets.token_bytes(ENCRYPTION_KEY_BYTES - len(DEVELOPMENT_MARK))
    return {
        "signing_keys": [DEVELOPMENT_PREFIX + secrets.token_urlsafe(32)],
        "encryption_keys": [base64.b64encode(DEVELOPMENT_MARK + random_bytes).decode()],
    }


def _parse(path: Path, file: FileContent) -> DevelopmentKeys:
    try:
        keys = DevelopmentKeys.model_validate(json.loads(file.content))
    except (ValidationError, ValueError, RecursionError):
        raise RefusedError("keys as they were made; remove the file", f"{path}, broken") from None
    if not keys.signing_keys or not keys.encryption_keys:
        raise RefusedError("keys as they were made; remove the file", f"{path}, empty")
    return keys
