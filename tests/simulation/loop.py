"""An event loop with made-up time: when nothing is ready, it is at once as late as the next timer wants it to be."""

import asyncio
import itertools
import threading
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, NoReturn, TypeVar, TypeVarTuple

Result = TypeVar("Result")
Ts = TypeVarTuple("Ts")

_EXACT = 1e-6  # seconds: timers that are so close fire together, so that sums of floats cannot make them spin


class Impossible(RuntimeError):
    """Something of the real world was asked of made-up time: a thread, a socket, a signal; or everybody waits for ever
    and no timer will ever end it. Derived from no error that the bridge expects."""


class _NoSelector:
    """Stands where the loop waits for I/O; there is none, so waiting is what makes the time."""

    def __init__(self, loop: "SimulatedLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Impossible("nobody has anything to do any more, and no timer will change that")
        self._loop.elapsed += timeout
        return []


class _Task(asyncio.Task[Any]):
    """A task group cancels its tasks in the order of a set: made the same in each run by counting."""

    def __init__(self, number: int, coroutine: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> None:
        self._number = number
        super().__init__(coroutine, loop=loop)

    def __hash__(self) -> int:
        return self._number


class SimulatedLoop(asyncio.BaseEventLoop):
    """`time()` begins at 0 and moves only by waiting. Callbacks run in asyncio's documented order, so a run with the
    same random numbers is the same run. Threads and sockets are `Impossible`."""

    def __init__(self) -> None:
        super().__init__()
        self.elapsed = 0.0
        self._thread = threading.get_ident()
        self._numbers = itertools.count()
        self.set_task_factory(lambda loop, coroutine, **_: _Task(next(self._numbers), coroutine, loop))
        self._selector = _NoSelector(self)
        self._clock_resolution = _EXACT

    def time(self) -> float:
        return self.elapsed

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        if self._thread != threading.get_ident():
            raise Impossible("a thread calls into made-up time")
        return self.call_soon(callback, *args, context=context)  # the garbage collector closes a generator

    def run_in_executor(self, executor: Any, func: Callable[[*Ts], Any], *args: *Ts) -> NoReturn:
        raise Impossible(f"{func!r} would run in a thread, which made-up time does not wait for")

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """There is none."""

    def _process_events(self, events: list[Any]) -> None:
        """There is no I/O."""

    def _write_to_self(self) -> NoReturn:
        raise Impossible("a thread wakes made-up time")


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """As `asyncio.run`, in made-up time."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(main)
