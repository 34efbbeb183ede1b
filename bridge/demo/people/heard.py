"""The messages that a person hears on a network, and waiting for them."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Heard:
    """One message as a person receives it. `room` is a Matrix room id, an IRC channel, or the person's own nick if
    it was said in private; `sender` a Matrix id or a nick; `kind` is text, action or notice; `at` is monotonic seconds.

    `raw` is the whole Matrix event, or the IRC line's tags.
    """

    room: str
    sender: str
    text: str
    kind: str
    at: float
    id: str = ""
    raw: Mapping[str, object] = field(default_factory=dict, compare=False)


Wanted = str | Callable[[Heard], bool]
"""A part of the text, or a predicate."""


class NotHeard(AssertionError):
    """The expected message did not come in time; the text says what came instead."""


class Ears:
    """Keeps everything heard so far, and waits for more. Nothing is dropped: a person in a test hears little."""

    def __init__(self) -> None:
        self.messages: list[Heard] = []
        self._deaf: str | None = None
        self._news = asyncio.Event()

    def take(self, message: Heard) -> None:
        self.messages.append(message)
        self.wake()

    def go_deaf(self, reason: str) -> None:
        """Nothing more will come: waiting tests fail with `reason`."""
        self._deaf = reason
        self.wake()

    def wake(self) -> None:
        """Let all waiters look again."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def until(self, seen: Callable[[], bool], timeout: float, what: str) -> None:
        """Return when `seen()` is true; checked after each news. Raises NotHeard after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while not seen():
                    if self._deaf is not None:
                        raise NotHeard(f"{what}: {self._deaf}; {self._said()}")
                    await self._news.wait()
        except TimeoutError:
            raise NotHeard(f"{what}: not within {timeout:g} s; {self._said()}") from None

    async def heard(self, wanted: Wanted, timeout: float) -> Heard:
        """The first message ever heard that is `wanted`, even if it came before this call."""
        position = 0
        found: Heard | None = None

        def seen() -> bool:
            nonlocal position, found
            while position < len(self.messages) and found is None:
                message = self.messages[position]
                position += 1
                if wanted in message.text if isinstance(wanted, str) else wanted(message):
                    found = message
            return found is not None

        await self.until(seen, timeout, f"heard({wanted!r})" if isinstance(wanted, str) else "heard")
        assert found is not None
        return found

    async def follow(self) -> AsyncGenerator[Heard, None]:
        """Every message ever heard, then each as it comes, until nothing more will."""
        position = 0
        while True:
            news = self._news
            while position < len(self.messages):
                position += 1
                yield self.messages[position - 1]
            if self._deaf is not None:
                return
            if news is self._news:
                await news.wait()

    def _said(self) -> str:
        last = "".join(f"\n  {m.room} <{m.sender}> {m.text!r} ({m.kind})" for m in self.messages[-20:])
        return f"of {len(self.messages)} messages heard, the last were:{last}" if last else "nothing was heard"
