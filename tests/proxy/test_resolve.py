"""Names: asked once for all, believed for a while, and longer where the resolver fails."""

import asyncio
from dataclasses import dataclass, field

import pytest

from gateway.proxy.resolve import (
    AGAIN_S,
    FRESH_S,
    MAX_ADDRESSES,
    MAX_NAMES,
    PATIENCE_S,
    STALE_S,
    Resolver,
    ask_system,
)


@dataclass(slots=True)
class Names:
    """A resolver that says what it is told to; `gate` holds its answers back."""

    now_s: float = 1000.0
    answers: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    gate: asyncio.Event | None = None

    def resolver(self) -> Resolver:
        """A cache over it, with a clock moved by hand."""
        return Resolver(self.look_up, lambda: self.now_s)

    async def look_up(self, host: str) -> list[str]:
        self.asked.append(host)
        if self.gate is not None:
            await self.gate.wait()
        if host not in self.answers:
            raise OSError("no such name")
        return self.answers[host]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "10.0.0.1"])
async def test_a_literal_is_never_asked_for(host: str) -> None:
    """It is its own answer."""
    names = Names()
    assert await names.resolver().resolve(host) == (host,)
    assert names.asked == []


async def test_an_answer_is_kept_and_then_asked_for_anew() -> None:
    """A change is seen with the first connection after `FRESH_S`."""
    names = Names(answers={"svc": ["10.0.0.1"]})
    resolver = names.resolver()
    assert await resolver.resolve("svc") == ("10.0.0.1",)
    names.answers["svc"] = ["10.0.0.2"]
    names.now_s += FRESH_S - 0.1
    assert await resolver.resolve("svc") == ("10.0.0.1",)
    names.now_s += 0.1
    assert await resolver.resolve("svc") == ("10.0.0.2",)
    assert names.asked == ["svc", "svc"]


async def test_all_who_ask_share_one_look_up() -> None:
    """A hundred connections at once are one question; who goes away does not end it."""
    names = Names(answers={"svc": ["10.0.0.1"]}, gate=asyncio.Event())
    resolver = names.resolver()
    asking = [asyncio.create_task(resolver.resolve("svc")) for _ in range(100)]
    await asyncio.sleep(0)
    asking[0].cancel()
    await asyncio.wait(asking[:1])
    assert names.gate is not None
    names.gate.set()
    assert set(await asyncio.gather(*asking[1:])) == {("10.0.0.1",)}
    assert names.asked == ["svc"]


async def test_addresses_take_turns() -> None:
    """One answer's connections are spread over its addresses; doubles count once."""
    names = Names(answers={"svc": ["10.0.0.1", "::2", "10.0.0.1"]})
    resolver = names.resolver()
    found = [await resolver.resolve("svc") for _ in range(3)]
    assert found == [("10.0.0.1", "::2"), ("::2", "10.0.0.1"), ("10.0.0.1", "::2")]


async def test_an_old_answer_serves_while_the_resolver_fails() -> None:
    """Not for ever; and a failing resolver is not asked for each connection."""
    names = Names(answers={"svc": ["10.0.0.1"]})
    resolver = names.resolver()
    await resolver.resolve("svc")
    del names.answers["svc"]
    names.now_s += FRESH_S
    for _ in range(5):
        assert await resolver.resolve("svc") == ("10.0.0.1",)
    assert len(names.asked) == 2
    names.now_s += STALE_S - FRESH_S
    with pytest.raises(OSError, match="svc"):
        await resolver.resolve("svc")
    names.answers["svc"] = ["10.0.0.9"]
    names.now_s += AGAIN_S
    assert await resolver.resolve("svc") == ("10.0.0.9",)


async def test_an_old_answer_serves_while_the_resolver_hangs() -> None:
    """Only the first connections wait for it, and not long."""
    names = Names(answers={"svc": ["10.0.0.1"]})
    resolver = names.resolver()
    await resolver.resolve("svc")
    names.gate = asyncio.Event()
    names.now_s += FRESH_S
    waiting = asyncio.create_task(resolver.resolve("svc"))
    await asyncio.sleep(0)
    names.now_s += PATIENCE_S
    assert await resolver.resolve("svc") == ("10.0.0.1",)
    assert not waiting.done()
    names.answers["svc"] = ["10.0.0.2"]
    names.gate.set()
    assert await waiting == ("10.0.0.2",)
    assert len(names.asked) == 2


@pytest.mark.parametrize("answer", [[], None])
async def test_a_name_that_is_not_there_is_asked_for_again(answer: list[str] | None) -> None:
    """After a second, not before: a mistyped name must not flood the resolver."""
    names = Names(answers={} if answer is None else {"svc": answer})
    resolver = names.resolver()
    for _ in range(3):
        with pytest.raises(OSError, match="name"):
            await resolver.resolve("svc")
    assert len(names.asked) == 1
    names.answers["svc"] = ["10.0.0.1"]
    names.now_s += AGAIN_S
    assert await resolver.resolve("svc") == ("10.0.0.1",)


async def test_what_is_kept_is_bounded() -> None:
    """Names and addresses."""
    names = Names(answers={"svc": [f"10.0.{n}.1" for n in range(100)]})
    resolver = names.resolver()
    assert len(await resolver.resolve("svc")) == MAX_ADDRESSES
    for number in range(MAX_NAMES):
        names.answers[f"n{number}"] = ["10.0.0.1"]
        await resolver.resolve(f"n{number}")
    names.asked.clear()
    await resolver.resolve(f"n{MAX_NAMES - 1}")
    assert names.asked == []
    await resolver.resolve("svc")
    assert names.asked == ["svc"]


async def test_closing_ends_what_is_under_way() -> None:
    """Who waits learns that the name was not found."""
    names = Names(answers={"svc": ["10.0.0.1"]}, gate=asyncio.Event())
    resolver = names.resolver()
    waiting = asyncio.create_task(resolver.resolve("svc"))
    await asyncio.sleep(0)
    resolver.close()
    with pytest.raises(OSError, match="svc"):
        await waiting


async def test_the_system_knows_this_machine() -> None:
    """/etc/hosts at least."""
    assert {"127.0.0.1", "::1"} & set(await ask_system("localhost"))
    with pytest.raises(OSError, match=r".+"):
        await ask_system("name.invalid")
