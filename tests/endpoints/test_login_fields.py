"""What a login says beside its fields, which test_login.py sends: the `Idempotency-Key`."""

import pytest

from gateway.endpoints.login_fields import LoginFields
from tests.support.gateway import RunningGateway, problem
from tests.support.own import exchanges, token_of

KEY = "0d6c1b7e-4a5f-4e0c"


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ([""], "empty"),
        (["k" * 15], "could be chosen twice"),
        (["k" * 65], "too long"),
        (["k" * 20 + "\u00e9"], "not ASCII"),
        ([KEY, KEY], "two, though the same"),
        ([KEY, "another-key-of-mine"], "two that differ"),
    ],
)
async def test_what_is_no_key(running: RunningGateway, keys: list[str], why: str) -> None:
    """400, and nothing goes out."""
    fields = {"app": "shop-wechat", "code": await running.code()}
    sent = [f"Idempotency-Key: {key}".encode().decode("latin-1") for key in keys]
    answer = await running.post("/login", fields, *sent)
    assert (answer.status, problem(answer)["code"]) == (400, "bad_request"), why
    assert await exchanges(running, "wechat") == 0


@pytest.mark.parametrize("key", ["k" * 16, "~" * 64, '"8e03978e-40d5-43dd"', "with a space in it"])
async def test_what_is_a_key(running: RunningGateway, key: str) -> None:
    """Any printable ASCII, in whatever case the header is written."""
    fields = {"app": "shop-wechat", "code": await running.code()}
    for name in ("Idempotency-Key", "idempotency-key"):
        token_of(await running.post("/login", fields, f"{name}: {key}"))
    assert await exchanges(running, "wechat") == 1


def test_codes_are_not_shown() -> None:
    """A repr may end up in a log."""
    assert "a-code" not in repr(LoginFields("shop", None, "a-code", "a-code"))
