"""How `session_key`s are encrypted at rest: AES-256-GCM with a ring of keys (design section 5).

It must not know what is sealed, for whom, or where it is kept: the caller's context says that, is
authenticated with the text, and so keeps one record from being put in another's place.

Sealed: version (1 byte) | key id (4 bytes) | nonce (12 bytes) | ciphertext and tag.
"""

import hashlib
import secrets
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_VERSION = b"\x01"
_KEY_ID_BYTES = 4
# Random 96-bit nonces are good for 2**32 seals with one key (NIST SP 800-38D 8.3): as many logins.
_NONCE_BYTES = 12
_HEAD_BYTES = len(_VERSION) + _KEY_ID_BYTES


class SealedError(Exception):
    """What was sealed cannot be opened."""


class UnknownKeyError(SealedError):
    """It was sealed with a key that is no longer in the ring."""


class UnreadableError(SealedError):
    """It is damaged, of another version, or was sealed for another context."""


class KeyRing:
    """Seals with the newest key and opens with any; `keys` are 32 bytes each, newest first."""

    def __init__(
        self,
        keys: Sequence[bytes],
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"encryption keys are {KEY_BYTES} bytes each, and one is needed")
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        if len(self._ciphers) != len(set(keys)):
            raise ValueError("two encryption keys have the same id: make one of them anew")
        self._newest = _key_id(keys[0])
        self._random_bytes = random_bytes

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The keys' ids, 8 hex digits each, newest first: no secret, a sealed text begins so."""
        return tuple(key_id.hex() for key_id in self._ciphers)

    def seal(self, plaintext: str, context: str) -> bytes:
        """Encrypt a text; `context` names its purpose and owner and must be given to open it."""
        head = _VERSION + self._newest
        nonce = self._random_bytes(_NONCE_BYTES)
        cipher = self._ciphers[self._newest]
        return head + nonce + cipher.encrypt(nonce, plaintext.encode(), head + context.encode())

    def open(self, sealed: bytes, context: str) -> str:
        """Decrypt what `seal` made for the same context.

        Raises: UnknownKeyError, UnreadableError.
        """
        head, rest = sealed[:_HEAD_BYTES], sealed[_HEAD_BYTES:]
        if not head.startswith(_VERSION) or len(rest) < _NONCE_BYTES:
            raise UnreadableError("not sealed by this version")
        cipher = self._ciphers.get(head[len(_VERSION) :])
        if cipher is None:
            raise UnknownKeyError("the key this was sealed with is not in the ring")
        nonce, ciphertext = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, ciphertext, head + context.encode()).decode()
        except (InvalidTag, UnicodeDecodeError):
            raise UnreadableError("damaged, or sealed for something else") from None


def key_id_of(sealed: bytes) -> str:
    """Return the id of the key that a text was sealed with, as `KeyRing.key_ids` writes it."""
    return sealed[len(_VERSION) : _HEAD_BYTES].hex()


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"gateway encryption key id\x00" + key).digest()[:_KEY_ID_BYTES]
