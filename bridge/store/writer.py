"""The only thread that uses the store's connection. Commits verbs that wait at the same time together."""

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeVar

import structlog

from bridge.store.contract import Full, StoreError, Unavailable
from bridge.store.core import Core
from bridge.store.reserve import Reserve, is_full
from bridge.store.steps import Steps

log = structlog.get_logger()

Result = TypeVar("Result")
_TOGETHER = 64  # verbs per transaction: with more, the first would wait noticeably for the last
_COMPANY_S = 0.25  # seconds that a note waits for verbs to be committed with: people write more often than that
_WAITING = 1024  # pending verbs at most: each takes some kilobytes, the work of a room or a batch


Ring = Callable[[AbstractSet[str]], None]
"""Called with the networks that may have new work."""


def _nobody(_: AbstractSet[str]) -> None:
    """Reading wakes nobody."""


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 if the error has none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


class CallKind(Enum):
    """What a call needs: a state of the store, a place to write, or one that is kept for delivery. A note is written
    with what comes next."""

    READ = auto()
    WRITE = auto()
    INTAKE = auto()
    NOTE = auto()


@dataclass(slots=True)
class Call:
    """A verb queued for the writer, and the future that gets its result."""

    verb: Callable[[Core], Any]
    ring: Ring
    answer: asyncio.Future[Any]
    kind: CallKind
    result: Any = None
    woken: AbstractSet[str] = frozenset()
    error: Exception | None = None


class Writer:
    """Runs verbs of `Core`, each atomically, and answers once they are on disk.

    `Full` and `Unavailable` mean that a verb did nothing. Any other error of SQLite is fatal: this verb and all later
    ones raise it, because a disk that failed once cannot be trusted when it reports success later.

    Intake raises `Full` once only the reserve of disk space is left, until there is space for a whole reserve again.
    """

    def __init__(
        self,
        connection: Any,
        core: Callable[[Any], Core],
        reserve: Reserve | None = None,
        steps: Steps | None = None,
    ) -> None:
        self._sql = connection
        self._reserve = reserve
        self._steps = steps
        self._core = core(connection)
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._places = asyncio.Semaphore(_WAITING)
        self._closed = False
        self._broken: sqlite3.Error | None = None
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    async def read(self, verb: Callable[[Core], Result]) -> Result:
        """Run a `verb` that only reads. It takes no lock, so it neither waits for nor delays another process."""
        result: Result = await self._do(Call(verb, _nobody, _future(), CallKind.READ))
        return result

    async def write(self, verb: Callable[[Core], Result], ring: Ring) -> Result:
        """Run `verb`, and return its result once it is on disk. Cancelling does not undo it. `ring` is called on the
        loop with the networks that `verb` has woken, even if the caller was cancelled."""
        result: Result = await self._do(Call(verb, ring, _future(), CallKind.WRITE))
        return result

    async def take_in(self, verb: Callable[[Core], Result], ring: Ring) -> Result:
        """Like `write`, for intake, which delivery can do without."""
        result: Result = await self._do(Call(verb, ring, _future(), CallKind.INTAKE))
        return result

    async def note(self, verb: Callable[[Core], Result], ring: Ring) -> Result:
        """Like `write`, but in no hurry: see `bridge.store.contract.Engine.note`."""
        result: Result = await self._do(Call(verb, ring, _future(), CallKind.NOTE))
        return result

    async def aclose(self) -> None:
        """Finish the pending verbs, then close the connection and the reserve."""
        self._closed = True
        self._calls.put(None)
        await asyncio.to_thread(self._thread.join)

    async def _do(self, call: Call) -> Any:
        await self._places.acquire()
        if self._closed:
            self._places.release()
            raise StoreError("the store is closed")
        self._calls.put(call)
        return await call.answer

    def _answer_all(self, calls: Sequence[Call]) -> None:
        """Answer a whole transaction in one turn of the loop."""
        for call in calls:
            self._answer(call)

    def _answer(self, call: Call) -> None:
        self._places.release()
        if call.error is None and call.woken:
            call.ring(call.woken)
        if call.answer.done():  # cancelled meanwhile
            return
        if call.error is not None:
            call.answer.set_exception(call.error)
        else:
            call.answer.set_result(call.result)

    # In the thread

    def _run(self) -> None:
        while calls := self._waiting():
            self._serve(calls)
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits
                calls[0].answer.get_loop().call_soon_threadsafe(self._answer_all, calls)
        self._close()

    def _close(self) -> None:
        self._sql.close()
        if self._reserve is not None:
            self._reserve.close()

    def _waiting(self) -> Sequence[Call]:
        """The calls for the next transaction; empty once the writer is closed."""
        calls: list[Call] = []
        call, until = self._calls.get(), time.monotonic() + _COMPANY_S
        try:
            while call is not None:
                calls.append(call)
                if len(calls) == _TOGETHER:
                    return calls
                hurry = any(call.kind is not CallKind.NOTE for call in calls)
                call = self._calls.get(timeout=0 if hurry else max(0.0, until - time.monotonic()))
        except queue.Empty:
            return calls
        if calls:
            self._calls.put(None)  # for the next turn
        return calls

    def _serve(self, calls: Sequence[Call]) -> None:
        try:
            if self._broken is not None:
                raise self._broken
            calls = self._allowed(calls)
            self._transact(calls)
        except sqlite3.Error as error:
            try:
                self._recover(calls, error)
            except sqlite3.Error as worse:
                self._break(calls, worse)

    def _allowed(self, calls: Sequence[Call]) -> Sequence[Call]:
        """The calls for which there is disk space; the others get `Full`."""
        intake = [call for call in calls if call.kind is CallKind.INTAKE]
        if not intake or self._reserve is None or self._reserve.make():
            return calls
        for call in intake:
            call.error = Full("the disk is full; the rest of its space is kept for sending what waits")
        return [call for call in calls if call.kind is not CallKind.INTAKE]

    def _transact(self, calls: Sequence[Call]) -> None:
        """Run the verbs in one transaction; a verb that raises is rolled back alone, and does not stop the others."""
        step = self._steps.step() if self._steps is not None else 0.0
        writing = step or any(call.kind is not CallKind.READ for call in calls)
        self._sql.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
        if step:
            self._core.shift(step)
        for call in calls:
            call.result = call.error = None
            self._core.woken.clear()
            self._sql.execute("SAVEPOINT verb")
            try:
                call.result = call.verb(self._core)
                call.woken = frozenset(self._core.woken)
            except sqlite3.Error:
                raise
            except Exception as error:  # the caller's: `_answer` raises it there
                call.error = error
                self._sql.execute("ROLLBACK TO verb")
            self._sql.execute("RELEASE verb")
        self._sql.execute("COMMIT")
        if step and self._steps is not None:
            self._steps.taken(step)
            log.warning(
                "clock_set",
                seconds=round(step),
                hint="this machine's clock was changed; the age of waiting messages stays as it was",
            )

    def _recover(self, calls: Sequence[Call], error: sqlite3.Error) -> None:
        if self._sql.in_transaction:
            self._sql.rollback()
        if is_full(error):
            for call in calls:  # intake may be too big for the disk while `sent` is not
                self._alone(call)
        elif _code(error) == sqlite3.SQLITE_BUSY:
            for call in calls:
                call.error = Unavailable(f"another program keeps the store locked: {error}")
        else:
            self._break(calls, error)

    def _alone(self, call: Call) -> None:
        """Run one call; if the disk is full and it is not intake, with space from the reserve."""
        while True:
            try:
                self._transact([call])
                return
            except sqlite3.Error as error:
                if self._sql.in_transaction:
                    self._sql.rollback()
                if not is_full(error):
                    raise
                if call.kind is CallKind.INTAKE or self._reserve is None or not self._reserve.give():
                    call.error = Full(f"no space left for the store: {error}")
                    return

    def _break(self, calls: Sequence[Call], error: sqlite3.Error) -> None:
        self._broken = error
        for call in calls:
            call.error = error
