"""S1, S4, S6, S7: every bit of a real token, and tokens that the real key has really signed.

The key is the stage's own, read from its folder; tokens are made with itsdangerous, not with ours.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from itsdangerous import Signer
from itsdangerous.encoding import base64_encode, int_to_bytes

from gateway.clock import now
from tests.attack.asking import Told, pipelined, tell
from tests.attack.model import Check, Entry, Proven
from tests.attack.stage import Stage

_SALT = b"gateway.session-token.v1"
_DAY_S = 86_400
_WIRE = frozenset(range(0x21, 0x7F)) | frozenset(range(0x80, 0x100))
"""What a field's value may begin, hold and end with."""


# -- every bit ------------------------------------------------------------------------------------


def _mutants(token: bytes) -> Iterator[tuple[str, bytes]]:
    """List the token with one bit flipped, and cut or grown at each place."""
    for at, byte in enumerate(token):
        for bit in range(8):
            if byte ^ (1 << bit) in _WIRE:
                flipped = bytes((byte ^ (1 << bit),))
                yield f"bit {bit} of byte {at}", token[:at] + flipped + token[at + 1 :]
        yield f"without byte {at}", token[:at] + token[at + 1 :]
        yield f"byte {at} twice", token[:at] + token[at : at + 1] + token[at:]
        if at:
            yield f"its first {at} bytes", token[:at]
            yield f"its last {at} bytes", token[-at:]


def _every_bit(carrier: bytes, prefix: bytes) -> Callable[[Stage], list[str]]:
    def run(stage: Stage) -> list[str]:
        token = stage.people["A"].token.encode()
        mutants = [each for each in _mutants(token) if each[1] != token]
        head = b"GET %b/x HTTP/1.1\r\nHost: %b\r\n%b%b\r\n\r\n"
        sent = [head % (prefix, stage.host, carrier, value) for _, value in mutants]
        stage.services["main"].take()
        answers = pipelined(stage, sent)
        amiss = [
            f"{title}: answered {answer.status}"
            for (title, _), answer in zip(mutants, answers, strict=False)
            if answer.status != 401
        ]
        if len(answers) != len(mutants):
            amiss.append(f"{len(answers)} answers to {len(mutants)} requests")
        arrived = sum(len(each.requests) for each in stage.services["main"].take())
        return [*amiss, f"{arrived} requests arrived"] if arrived else amiss

    return run


# -- signed by the real key -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Made:
    """A token that was made: what it is, and which code it must be refused with; None: taken."""

    title: str
    token: str
    code: str | None


def _key(stage: Stage) -> str:
    keys = json.loads((stage.folder / "data" / "keys.json").read_text())
    key: str = keys["signing_keys"][0]
    return key


def _sign(
    key: str, session_id: str, date: str, salt: bytes = _SALT, how: str = "hmac", digest: str = ""
) -> str:
    method = getattr(hashlib, digest or "sha256")
    signer = Signer(key, salt=salt, key_derivation=how, digest_method=method)
    return "gw1." + signer.sign(f"{session_id}.{date}").decode()


def _date(moment: float) -> str:
    return base64_encode(int_to_bytes(int(moment))).decode()


def _dated(stage: Stage) -> Iterator[_Made]:
    key, moment_s = _key(stage), now()
    known = stage.people["A"].token.split(".")[1]
    for title, moment, code in (
        ("now", moment_s, None),
        ("50 s ahead", moment_s + 50, None),
        ("90 s ahead", moment_s + 90, "session_invalid"),
        ("in a year", moment_s + 365 * _DAY_S, "session_invalid"),
        ("in 2^33", 2**33, "session_invalid"),
        ("in 2^63", 2**63 - 1, "session_invalid"),
        ("30 days and 2 s ago", moment_s - 30 * _DAY_S - 2, "session_expired"),
        ("at the epoch", 0, "session_expired"),
        ("a second later", 1, "session_expired"),
    ):
        yield _Made(f"dated {title}", _sign(key, known, _date(moment)), code)
    for title, date in (
        ("nothing", ""),
        ("no base64", "!!!!"),
        ("a decimal", "1700000000"),
        ("a float", "1.5"),
        ("negative", "-1"),
        ("64 bytes", "A" * 64),
        ("padded", _date(moment_s) + "="),
    ):
        yield _Made(f"dated with {title}", _sign(key, known, date), "session_")


def _foreign(stage: Stage) -> Iterator[_Made]:
    key, date = _key(stage), _date(now())
    known = stage.people["A"].token.split(".")[1]
    other = "another-signing-key-of-more-than-32-characters"
    yield _Made("another key", _sign(other, known, date), "session_invalid")
    yield _Made("an empty key", _sign("", known, date), "session_invalid")
    yield _Made("the key, cut", _sign(key[:-1], known, date), "session_invalid")
    for salt in (b"itsdangerous.Signer", b"", b"gateway.session-token.v0", b"gateway.ticket.v1"):
        yield _Made(f"salt {salt!r}", _sign(key, known, date, salt), "session_invalid")
    for how in ("django-concat", "concat", "none"):
        yield _Made(f"derived by {how}", _sign(key, known, date, how=how), "session_invalid")
    for digest in ("sha1", "md5", "sha512", "sha3_256", "blake2s"):
        yield _Made(f"by {digest}", _sign(key, known, date, digest=digest), "session_invalid")
    # Well signed, but of nobody's session: a store may be asked, an error never comes of it.
    for session_id in ("A" * 24, "A" * 22, "_" * 64):
        yield _Made("a session nobody has", _sign(key, session_id, date), "session_expired")
    for session_id in ("A" * 21, "A" * 65, "../../etc/passwd-and-more", "a:b" * 9, "*" * 24):
        yield _Made("an id that is none", _sign(key, session_id, date), "session_invalid")


def _check_all(make: Callable[[Stage], Iterator[_Made]]) -> Callable[[Stage], list[str]]:
    def run(stage: Stage) -> list[str]:
        return [
            f"{each.title}: answered {told.status} {told.code}"
            for each in make(stage)
            for told in [tell(stage, "GET /api/x", headers={"X-Session-Token": each.token})]
            if not _is_right(told, each.code)
        ]

    return run


def _is_right(told: Told, code: str | None) -> bool:
    if code is None:
        return told.status == 200
    return told.status == 401 and (told.code or "").startswith(code)


def _one_answer(stage: Stage) -> list[str]:
    """S7: bad MAC, unknown key and rubbish cannot be told apart."""
    date, known = _date(now()), stage.people["A"].token.split(".")[1]
    bad = stage.people["A"].token[:-3] + "AAA"
    bad = bad if bad != stage.people["A"].token else bad[:-4] + "BAAA"
    texts = set[str]()
    for token in (bad, _sign("x" * 32, known, date), "gw1.rubbish", "rubbish"):
        told = tell(stage, "GET /api/x", headers={"X-Session-Token": token})
        document = {k: v for k, v in told.document.items() if k != "request_id"}
        headers = {k: v for k, v in told.headers.items() if k not in ("x-request-id", "date")}
        headers.pop("content-length")
        texts.add(json.dumps([told.status, document, headers], sort_keys=True))
    return [] if len(texts) == 1 else [f"{len(texts)} different answers"]


def entries() -> Iterator[Entry]:
    """List these rows."""
    for title, carrier in (
        ("X-Session-Token", b"X-Session-Token: "),
        ("Authorization", b"Authorization: Bearer "),
    ):
        run = _every_bit(carrier, b"/api")
        yield Check(row="S1", title=f"every bit of every byte, cut and grown, {title}", run=run)
    run = _every_bit(b"X-Session-Token: ", b"/opt")
    yield Check(row="S1", title="every bit of every byte on an optional route", run=run)
    yield Check(row="S4", title="dates that the real key has signed", run=_check_all(_dated))
    yield Check(row="S6", title="other keys, salts, digests and ids", run=_check_all(_foreign))
    yield Proven(
        row="S6",
        title="a new key signs, the old one verifies until it goes; over restarts, both stores",
        tests=(
            "tests/sessions/test_token.py::test_key_rotation",
            "tests/sessions/test_key_rotation.py",
        ),
    )
    yield Check(row="S7", title="forged, unknown key and rubbish get one answer", run=_one_answer)
    yield Proven(
        row="S7",
        title="one error for all, without a cause that tells more",
        tests=("tests/sessions/test_token.py::test_one_answer",),
    )
