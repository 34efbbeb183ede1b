"""What a server of a language model may send: so many bytes, uncompressed, and nothing that leads elsewhere.

The openai package reads whole lines and whole error pages into memory, follows redirects, and unpacks compressed
answers: a broken server could fill the bridge's memory, and one that redirects could pass the question on.
"""

import sys
from collections.abc import AsyncIterator
from typing import Any

BYTES = 8_000_000
"""Of one answer at most. An answer's piece is about 300 bytes, and has a token: enough for 20,000 tokens."""


class TooMuch(Exception):
    """The server sent more than an answer can have, or something compressed."""


def client(openai: Any, timeout_s: float) -> Any:
    """The HTTP client for the package `openai`."""
    return openai.DefaultAsyncHttpxClient(
        follow_redirects=False,
        timeout=timeout_s,
        headers={"Accept-Encoding": "identity"},
        event_hooks={"response": [_bound]},
    )


async def _bound(response: Any) -> None:
    """Replace the body by one that ends with TooMuch."""
    packed = response.headers.get("content-encoding", "identity").lower() != "identity"
    # newer versions of openai use httpx2, older ones httpx; each insists on a stream of its own class
    base = sys.modules[type(response).__module__.partition(".")[0]].AsyncByteStream
    body = response.stream

    async def pieces(_self: Any) -> AsyncIterator[bytes]:
        left = 0 if packed else BYTES
        async for piece in body:
            left -= len(piece)
            if left < 0:
                raise TooMuch("a compressed answer" if packed else f"an answer of more than {BYTES} bytes")
            yield piece

    async def aclose(_self: Any) -> None:
        await body.aclose()

    response.stream = type("Bounded", (base,), {"__aiter__": pieces, "aclose": aclose})()
