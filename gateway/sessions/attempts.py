"""One exchange per code, whoever else brings it meanwhile: in this process, in any, on any machine.

Decides who exchanges a code, who waits for that, and what they get. It must not know platforms,
requests or which kind of store there is. Design section 4, "Login rules".

In one process a code has one task, which outlives the client that began it. Between processes it
has one note in the store: who puts it there exchanges the code, the others read it until it says
how that ended. The note outlives its owner, so a code is never sent twice, even after a crash.
Of a login with two codes both are noted, and nothing is sent before both are ours.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.sessions.attempt_records import (
    KEPT_S,
    Attempt,
    Done,
    Failed,
    Record,
    Running,
    dump,
    is_over,
    load,
    release,
    settle,
    used,
)
from gateway.sessions.keyring import KeyRing, SealedError
from gateway.sessions.service import Issued, NewLogin, SessionService
from gateway.sessions.store import STORE_TIMEOUT_S
from gateway.sessions.token import MAX_AHEAD_S

MAX_WAITING = 1000
"""Logins of a process that wait for another with their code; more are refused at once."""
MAX_UNCLEAR = 1000
"""Claims whose answer was lost, and that are remembered, so that their codes are not."""

_KEEPING_S = 3 * STORE_TIMEOUT_S  # after the exchange: the session, the note, and some leisure
_PAUSE_S = 0.05  # between two looks at a note of somebody else's, up to twice as long
_JITTER_STEPS = 1000

Exchange = Callable[[], Awaitable[NewLogin]]
"""Asks the platform who this is. Raises: GatewayError."""

_Held = dict[str, bytes]  # our notes of the codes that are ours, by name


class Notes(Protocol):
    """Where attempts are noted; `SessionStore` is one. Raises: GatewayError store_unavailable."""

    async def keep_note(self, name: str, value: bytes, until: float) -> bytes | None: ...

    async def replace_note(self, name: str, old: bytes, new: bytes, until: float) -> bool: ...

    async def read_note(self, name: str) -> bytes | None: ...


@dataclass(slots=True, eq=False)
class _Flight:
    """A code under way here. `issued` is what its first client gets, if it is still there."""

    attempt: Attempt
    exchange: Exchange
    issued: Issued | None = None
    is_abandoned: bool = False


def pause_s() -> float:
    """Say how long to wait before the next look; at random, so that processes spread."""
    return _PAUSE_S * (1 + secrets.randbelow(_JITTER_STEPS) / _JITTER_STEPS)


class LoginAttempts:
    """The attempts of one process. `new_id` returns that many random bytes."""

    def __init__(
        self,
        notes: Notes,
        sessions: SessionService,
        keyring: KeyRing,
        clock: Clock,
        new_id: Callable[[int], bytes],
        *,
        pause_s: Callable[[], float] = pause_s,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self._notes = notes
        self._sessions = sessions
        self._keyring = keyring
        self._clock = clock
        self._new_id = new_id
        self._pause_s = pause_s
        self._max_waiting = max_waiting
        self._flights: dict[str, tuple[_Flight, asyncio.Task[Record]]] = {}
        self._unclear: dict[str, str] = {}
        self._waiting = 0

    async def run(self, attempt: Attempt | None, exchange: Exchange) -> Issued:
        """Exchange a code, or wait for who does, and return the session with a token of its own.

        None: the code is good again and again, so everybody exchanges it for himself.
        Raises: GatewayError code_invalid (used; also by a login at the same time), what the
        exchange raised, store_unavailable, user_blocked, overloaded, session_* (of an answer that
        is given again).
        """
        if attempt is None:
            return await self._sessions.create(await exchange())
        known = self._flights.get(attempt.name)
        if known is not None:
            with self._place():
                return await self._answer_again(attempt, await asyncio.shield(known[1]))
        flight = _Flight(attempt, exchange)
        task = asyncio.create_task(self._fly(flight), name="login")
        self._flights[attempt.name] = flight, task
        try:
            record = await asyncio.shield(task)
        except asyncio.CancelledError:
            flight.is_abandoned = True
            raise
        return flight.issued or await self._answer_again(attempt, record)

    async def close(self) -> None:
        """Give up what is under way; its codes stay used."""
        tasks = [task for _, task in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        if self._waiting >= self._max_waiting:
            raise GatewayError("overloaded", "too many logins wait for others with their codes")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    async def _answer_again(self, attempt: Attempt, record: Record) -> Issued:
        """Answer who did not exchange the code itself."""
        if isinstance(record, Failed):
            raise record.error()
        if not isinstance(record, Done) or record.sealed_id is None:
            raise used()
        if attempt.key_hash != record.key_hash:
            raise used()
        try:
            session_id = self._keyring.open(record.sealed_id, _seal_context(attempt))
        except SealedError:  # the encryption key is gone
            raise used() from None
        return await self._sessions.issue_again(session_id)

    # -- the task of a code ---------------------------------------------------------------------

    async def _fly(self, flight: _Flight) -> Record:
        try:
            held, found = await self._claim_all(flight.attempt)
            return found or await self._lead(flight, held)
        except GatewayError as error:
            return settle(error, self._clock(), is_exchanged=False)[0]
        finally:
            del self._flights[flight.attempt.name]

    async def _claim_all(self, attempt: Attempt) -> tuple[_Held, Record | None]:
        """Note that all codes are ours; return our notes, and how one ended that was another's.

        Then those that are ours already are free again, since they were not sent.
        """
        held: _Held = {}
        for name in attempt.names:
            try:
                note, found = await self._claim(name, attempt.timeout_s)
            except GatewayError:
                for ours, kept in held.items():
                    self._remember(ours, kept)
                raise
            if found is not None:
                return held, await self._yield(attempt, name, found, held)
            held[name] = note
        return held, None

    async def _yield(self, attempt: Attempt, name: str, found: Record, held: _Held) -> Record:
        """Wait for the owner of one of our codes, and let those go that are ours."""
        try:
            record = await self._follow(name, attempt.timeout_s, found)
            if not held:
                return record
            raise record.error() if isinstance(record, Failed) else used()
        except GatewayError as error:
            await self._settle(held, *release(error, self._clock()))
            raise

    async def _claim(self, name: str, timeout_s: float) -> tuple[bytes, Record | None]:
        """Note that a code is ours; return our note, and what there is instead, if it is not.

        A claim whose answer was lost may be kept all the same: said again, it is known as ours.
        """
        ends_at = self._clock() + timeout_s + _KEEPING_S
        owner = self._unclear.pop(name, None) or self._new_id(16).hex()
        note = dump(Running(owner, ends_at))
        try:
            found = await self._keep(name, note, ends_at + KEPT_S + MAX_AHEAD_S)
        except GatewayError:
            self._remember(name, note)
            raise
        record = None if found is None else load(found)
        if found is not None and isinstance(record, Running) and record.owner == owner:
            return found, None
        return note, record

    async def _keep(self, name: str, note: bytes, until: float) -> bytes | None:
        """Keep a note where none says anything any more; return the one that does."""
        found = await self._notes.keep_note(name, note, until)
        if found is None or not is_over(found, self._clock()):
            return found
        if await self._notes.replace_note(name, found, note, until):
            return None
        return await self._notes.keep_note(name, note, until)  # somebody else was faster

    def _remember(self, name: str, note: bytes) -> None:
        record = load(note)
        if isinstance(record, Running):
            self._unclear[name] = record.owner
        if len(self._unclear) > MAX_UNCLEAR:
            del self._unclear[next(iter(self._unclear))]  # the oldest

    async def _follow(self, name: str, timeout_s: float, record: Record) -> Record:
        """Wait until the code's owner, in another process, says how it ended, or its time ends.

        How long is told by our own time: the owner's clock may differ by `MAX_AHEAD_S`.
        """
        if isinstance(record, Failed) and self._clock() >= record.until:
            raise used()
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + timeout_s + _KEEPING_S
        with self._place():
            while isinstance(record, Running):
                if self._clock() >= record.until + MAX_AHEAD_S or loop.time() >= ends_s:
                    raise used()
                await asyncio.sleep(self._pause_s())
                value = await self._notes.read_note(name)
                if value is None:
                    raise used()
                record = load(value)
        return record

    async def _lead(self, flight: _Flight, held: _Held) -> Record:
        """Exchange the code, keep the session, and say in the note how it ended."""
        is_exchanged = False
        try:
            login = await flight.exchange()
            is_exchanged = True
            flight.issued = await self._sessions.create(login)
        except GatewayError as error:
            failed, until = settle(error, self._clock(), is_exchanged=is_exchanged)
            await self._settle(held, failed, until)
            return failed
        except Exception:
            fault = GatewayError("internal_error")
            failed, until = settle(fault, self._clock(), is_exchanged=True)
            await self._settle(held, failed, until)
            raise
        done = self._done(flight.attempt, flight.issued)
        await self._settle(held, done, self._clock() + KEPT_S)
        if flight.is_abandoned and flight.attempt.key_hash is None:
            await self._end(flight.issued)
        return done

    def _done(self, attempt: Attempt, issued: Issued) -> Done:
        if attempt.key_hash is None:
            return Done()
        sealed = self._keyring.seal(issued.session_id, _seal_context(attempt))
        return Done(attempt.key_hash, sealed)

    async def _settle(self, held: _Held, record: Record, until: float) -> None:
        """Say how it ended. A store that is away now leaves the code used, once our time is over;
        the session is kept already, so its client gets it."""
        with contextlib.suppress(GatewayError):
            for name, note in held.items():
                await self._notes.replace_note(name, note, dump(record), until)

    async def _end(self, issued: Issued) -> None:
        """End a session whose token nobody got and nobody can ask for again.

        Else it would be in the way of those that are used (`max_per_subject`).
        """
        with contextlib.suppress(GatewayError):
            await self._sessions.end(issued.session.key)


def _seal_context(attempt: Attempt) -> str:
    return f"attempt.v1:{attempt.name}"
