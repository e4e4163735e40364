"""S3, S4: JOSE and its times are nothing to us: a token is one fixed MAC."""

import json
from collections.abc import Iterator

from tests.attack.model import Case, Entry, Proven, request
from tests.attack.rows.s_tokens import INVALID, MISSING, REQUIRED, part


def _jwt(header: dict[str, object], payload: object, signature: bytes = b"") -> bytes:
    return b".".join((part({"typ": "JWT", **header}), part(payload), signature))


_CLAIMS = {"sub": "wechat:wxattackshop:evil", "openid": "evil", "exp": 4_102_444_800}
_KEY = {"kty": "oct", "k": "ZXZpbA"}
_HEADERS: tuple[tuple[str, dict[str, object]], ...] = (
    ("alg none", {"alg": "none"}),
    ("alg None", {"alg": "None"}),
    ("alg NONE", {"alg": "NONE"}),
    ("no alg", {}),
    ("alg empty", {"alg": ""}),
    ("alg null", {"alg": None}),
    ("HS256", {"alg": "HS256"}),
    ("RS256", {"alg": "RS256"}),
    ("ES256", {"alg": "ES256"}),
    ("EdDSA", {"alg": "EdDSA"}),
    ("PS512", {"alg": "PS512"}),
    ("dir", {"alg": "dir", "enc": "A256GCM"}),
    ("PBES2 of a million rounds", {"alg": "PBES2-HS256+A128KW", "p2c": 1_000_000}),
    ("kid a path", {"alg": "HS256", "kid": "../../../../dev/null"}),
    ("kid SQL", {"alg": "HS256", "kid": "' UNION SELECT 'evil"}),
    ("kid a URL", {"alg": "HS256", "kid": "http://127.0.0.1/evil"}),
    ("kid a command", {"alg": "HS256", "kid": "|id"}),
    ("jku", {"alg": "RS256", "jku": "http://127.0.0.1/evil.json"}),
    ("x5u", {"alg": "RS256", "x5u": "http://127.0.0.1/evil.pem"}),
    ("x5c", {"alg": "RS256", "x5c": ["ZXZpbA=="]}),
    ("jwk", {"alg": "HS256", "jwk": _KEY}),
    ("crit", {"alg": "HS256", "crit": ["evil"], "evil": True}),
    ("b64 false", {"alg": "HS256", "crit": ["b64"], "b64": False}),
    ("zip", {"alg": "dir", "enc": "A128GCM", "zip": "DEF"}),
)


def _jose() -> Iterator[Entry]:
    for title, header in _HEADERS:
        for signature in (b"", b"ZXZpbA"):
            jwt = _jwt(header, _CLAIMS, signature)
            signed = "signed" if signature else "unsigned"
            for name, value, expect in (
                ("X-Session-Token", b"X-Session-Token: " + jwt, INVALID),
                ("Bearer", b"Authorization: Bearer " + jwt, MISSING),
                ("Bearer gw1.", b"Authorization: Bearer gw1." + jwt, INVALID),
            ):
                yield Case(
                    row="S3",
                    title=f"{title}, {signed}, {name}",
                    send=request(value, session=False),
                    expect=expect,
                    over=REQUIRED,
                )
    yield Proven(
        row="S3",
        title="one MAC, no JOSE: another salt and SHA-1 are no signatures",
        tests=(
            "tests/sessions/test_token.py::test_foreign_salt",
            "tests/sessions/test_token.py::test_weaker_digest",
        ),
    )


# -- S4: time -------------------------------------------------------------------------------------


def _time() -> Iterator[Entry]:
    """A JWT's `exp` of whatever kind is nothing to us; our own dates are in `s_signed`."""
    moments: tuple[object, ...] = ("1", 1.5, 1e300, -1, None, True, [], {"$gt": 0})
    for moment in moments:
        jwt = _jwt({"alg": "none"}, {**_CLAIMS, "exp": moment, "nbf": moment})
        yield Case(
            row="S4",
            title=f"a JWT with exp {json.dumps(moment)}",
            send=request(b"X-Session-Token: " + jwt, session=False),
            expect=INVALID,
            over=REQUIRED,
        )
    yield Proven(
        row="S4",
        title="expired by one second, dated ahead, clocks that differ",
        tests=(
            "tests/sessions/test_token.py::test_age",
            "tests/sessions/test_token.py::test_forged_beats_expired",
            "tests/test_bad_input.py::test_an_expired_token",
        ),
    )


def entries() -> Iterator[Entry]:
    """List these rows."""
    yield from _jose()
    yield from _time()
