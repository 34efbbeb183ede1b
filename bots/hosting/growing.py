"""Answers that grow: what a brain has said so far is shown from time to time, until it has said all."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing

from bots.api import Brain, Question, Said

EVERY_S = 1.0
"""Seconds between two looks at what there is: an edit is a message for the homeserver, and a line for its readers."""

Show = Callable[[Said], Awaitable[None]]


async def growing(brain: Brain, question: Question) -> AsyncGenerator[Said, None]:
    """What a brain has said so far, each time that it has more; the last is the reply. Of one that does not stream, the
    reply; nothing if there is none."""
    stream: Callable[[Question], AsyncIterator[Said]] | None = getattr(brain, "stream", None)
    if stream is None:
        if said := await brain.reply(question):
            yield said
        return
    pieces = stream(question)
    try:
        async for so_far in pieces:
            yield so_far
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()


async def within(pieces: AsyncGenerator[Said, None], patience_s: float) -> AsyncGenerator[Said, None]:
    """`pieces`, all of which have to come in `patience_s` seconds: else TimeoutError is raised."""
    deadline = asyncio.get_running_loop().time() + patience_s
    async with aclosing(pieces):
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    piece = await anext(pieces)
            except StopAsyncIteration:
                return
            yield piece


async def shown(pieces: AsyncIterator[Said], show: Show) -> Said | None:
    """The last of `pieces`; what there is is shown meanwhile, at most every `EVERY_S`, if it is news. What comes sooner
    is never shown: most answers come at once."""
    so_far: list[Said] = []
    showing = asyncio.create_task(_show(so_far, show), name="shows how an answer grows")
    try:
        async for piece in pieces:
            so_far[:] = [piece]
    finally:
        showing.cancel()
        await asyncio.wait({showing})
    if not showing.cancelled() and (error := showing.exception()) is not None:
        raise error
    return so_far[0] if so_far else None


async def _show(so_far: list[Said], show: Show) -> None:
    last: list[Said] = []
    while True:
        await asyncio.sleep(EVERY_S)
        if so_far != last:
            last = [*so_far]
            await show(last[0])
