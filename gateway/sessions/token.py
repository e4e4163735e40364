"""What a token looks like, and whether one is ours and still young enough.

Decides: forged, outlived, or which session id it names. Pure: the moment and the randomness are
passed in. It must not know stores, requests or settings. Design section 5; attacks.md S1 to S7.

The signed text is `<session id>.<date>.<signature>`, as itsdangerous' TimestampSigner writes it.
Token, session id and date have exactly one spelling: base64url without padding, no white space.
"""

import hashlib
import re
from collections.abc import Callable, Sequence

from itsdangerous import BadSignature, Signer, TimestampSigner
from itsdangerous.encoding import base64_decode, base64_encode, bytes_to_int

from gateway.errors import GatewayError

PREFIX = "gw1."
MAX_TOKEN_BYTES = 512
"""A token is 79 long; anything over this is refused before a byte of it is looked at."""
MAX_AHEAD_S = 60
"""How far clocks of two machines may differ: a token dated up to this far ahead is good."""

_SALT = b"gateway.session-token.v1"  # names purpose and version, so no other signature fits here
_SESSION_ID_BYTES = 18  # 144 bits, and a multiple of 3: base64 leaves no spare bits to vary
_SESSION_ID = "[A-Za-z0-9_-]{22,64}"
_DATE = "[A-Za-z0-9_-]{0,11}"  # an int64 without its leading zeros
# 32 bytes are 43 characters; the 2 spare bits of the last must be zero (RFC 4648 3.5).
_SIGNATURE = "[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]"
_TOKEN = re.compile(rf"gw1\.({_SESSION_ID}\.{_DATE}\.{_SIGNATURE})")
_KEY = re.compile("[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")


def new_session_id(random_bytes: Callable[[int], bytes], subject_key: str) -> str:
    """Make a session id: 144 random bits, 24 characters of base64url.

    Ids are drawn until the session's key begins as the subject's does, some 64 times: so all of a
    subject can lie on one slot of a Redis Cluster, and 138 bits are still nobody's to guess.
    """
    while True:
        session_id = base64_encode(random_bytes(_SESSION_ID_BYTES)).decode("ascii")
        if session_key_of(session_id)[0] == subject_key[0]:
            return session_id


def session_key_of(session_id: str) -> str:
    """Return base64url(SHA-256(session id)), 43 characters: the key it is kept under."""
    return base64_encode(hashlib.sha256(session_id.encode("ascii")).digest()).decode("ascii")


def is_session_key(text: str) -> bool:
    """Whether this could be a session's key; nothing else may become a part of a store's keys."""
    return _KEY.fullmatch(text) is not None


class _SignerAt(TimestampSigner):
    """A TimestampSigner whose clock stands still at the moment passed in."""

    def __init__(self, keys_oldest_first: Sequence[str], moment: int) -> None:
        super().__init__(
            keys_oldest_first, salt=_SALT, key_derivation="hmac", digest_method=hashlib.sha256
        )
        self._moment = moment

    def get_timestamp(self) -> int:
        return self._moment


class TokenSigner:
    """Signs session ids and reads them back.

    `signing_keys` are newest first: the first signs, all verify.
    """

    def __init__(self, signing_keys: Sequence[str]) -> None:
        if not signing_keys:
            raise ValueError("at least one signing key is needed")
        self._keys_oldest_first = tuple(reversed(signing_keys))  # itsdangerous' order
        self._verifier = _SignerAt(self._keys_oldest_first, 0)  # verifying reads no clock

    def sign(self, session_id: str, now: float) -> str:
        """Return the token of this session, dated `now` (whole seconds, rounded down)."""
        if re.fullmatch(_SESSION_ID, session_id) is None:
            raise ValueError("a session id is base64url text of 22 to 64 characters")
        signed = _SignerAt(self._keys_oldest_first, int(now)).sign(session_id)
        return PREFIX + signed.decode("ascii")

    def read(self, token: str, now: float, lifetime_s: float) -> str:
        """Return the session id a token names.

        Raises: GatewayError session_invalid (forged, malformed, dated ahead, signed by a key we do
        not have: one answer for all), session_expired (its date + `lifetime_s` has passed).
        """
        return self.read_dated(token, now, lifetime_s)[0]

    def read_dated(self, token: str, now: float, lifetime_s: float) -> tuple[str, int]:
        """Return the session id and the moment a token was signed at; raises as `read` does."""
        session_id, signed_at = self._verify(token)
        if signed_at > now + MAX_AHEAD_S:
            raise _invalid()
        if signed_at + lifetime_s < now:
            raise GatewayError("session_expired", "the token has expired; log in again")
        return session_id, signed_at

    def _verify(self, token: str) -> tuple[str, int]:
        match = _TOKEN.fullmatch(token) if len(token) <= MAX_TOKEN_BYTES else None
        if match is None:
            raise _invalid()
        try:
            signed = Signer.unsign(
                self._verifier, match[1]
            )  # the date is read here, not as datetime
        except BadSignature:
            raise _invalid() from None  # its text quotes the token
        session_id, date = signed.split(b".")
        return session_id.decode("ascii"), bytes_to_int(base64_decode(date))


def _invalid() -> GatewayError:
    return GatewayError("session_invalid", "the token is not one of ours; log in again")
