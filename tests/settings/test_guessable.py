"""Which secrets look made up by hand, and that random ones do not."""

import base64
import secrets

import pytest

from gateway.keygen import new_key
from gateway.settings.guessable import looks_made_up


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        (b"a" * 40, "one character"),
        (b"ab" * 20, "two characters"),
        (b"kq3v9TzB" * 4, "a piece four times"),
        (b"kq3v9TzBw7kq3v9TzBw7kq3v9TzBw7kq3", "a piece again and again, the last time in part"),
        (b"0123456789abcdef" * 2, "the digits twice"),
        (b"admin1234" * 4 + b"x", "a piece four times, and one more"),
        (b"mysupersekretkay-mysupersekretkay", "twice, with something between"),
        (b"P@ssw0Rd!P@ssw0Rd!P@ssw0Rd!P@sszw", "a slip in the last"),
        (b"abcdefghijklmnopqrstuvwxyz012345", "the alphabet"),
        (b"zyxwvutsrqponmlkjihgfedcba987654", "backwards"),
        (b"AbCdEfGhIjKlMnOpQrStUvWxYz012345", "in turns"),
        (b"aabbccddeeffgghhiijjkkllmmnnoopp", "each twice"),
        (b"00000000-0000-0000-0000-000000000001", "no UUID of chance"),
        (b"qwertyuiopasdfghjklzxcvbnm123456", "a keyboard"),
        (b"Insert-32-random-characters-here", "a form to fill in"),
        (b"the-output-of-gateway-keygen-here", "another"),
        (b"<kq3v9TzBw7Ym2Xc8Rn5Lf or another>", "a place to fill in"),
        (b"<16 characters or more>", "another"),
        (b"GATEWAY_ADMIN_TOKEN0", "a name of ours"),
        (b"iloveyou1234567890", "a password of many"),
        (b"MyPassword-kq3v9TzBw7Ym2Xc8Rn5Lf", "a password"),
        (bytes(range(32)), "bytes in a row"),
        (bytes(range(32, 0, -1)), "backwards"),
    ],
)
def test_what_a_hand_made_is_found(secret: bytes, why: str) -> None:
    """Long enough is not random enough."""
    assert looks_made_up(secret), why


@pytest.mark.parametrize(
    "make",
    [
        lambda: new_key("signing").encode(),
        lambda: new_key("encryption").encode(),
        lambda: secrets.token_bytes(32),
        lambda: secrets.token_hex(16).encode(),
        lambda: secrets.token_hex(8).encode(),
        lambda: base64.b64encode(secrets.token_bytes(24)),
        lambda: b"%032d" % secrets.randbelow(10**32),
    ],
    ids=["signing", "encryption", "bytes", "hex", "short hex", "base64", "digits"],
)
def test_what_chance_made_is_taken(make: object) -> None:
    """A thousand of each kind."""
    assert callable(make)
    assert not any(looks_made_up(make()) for _ in range(1000))
