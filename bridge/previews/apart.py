"""Looks at pictures in a process of its own: whatever a hostile file makes a decoder do ends with it.

Files of some megabytes keep a decoder busy for hours (thousands of scans of a progressive JPEG, of colour profiles of a
PNG) or take a hundred times as much memory; a thread that decodes them cannot be ended.
"""

import asyncio
import json
import os
import resource
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict

from bridge.previews.kinds import GIF, JPEG, PNG, WEBP, FileType
from bridge.previews.pictures import Looks, looks

_CPU_S, _MEMORY = 2, 512 * 1024 * 1024
"""Seconds of a processor and bytes of memory that a picture may cost: most take less than a fifth of both."""
_GOODBYE_S = 1.0
"""Seconds until a process that was killed is gone."""
_ANSWER = 1000
"""Bytes of an answer at most."""
_LONGEST = 2**31
"""Pixels of a side at most: what Pillow reads fits, and any JSON."""
_TYPES = {each.mime: each for each in (PNG, JPEG, GIF, WEBP)}
_RUN = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from bridge.previews import apart; apart.main()"


class Decoder:
    """Looks at one picture at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._path = json.dumps([os.path.abspath(each) for each in sys.path])  # noqa: PTH100

    async def looks(self, data: bytes, file_type: FileType) -> Looks:
        """See `bridge.previews.pictures.looks`. Takes some tenths of a second. Safe to cancel."""
        if file_type.mime not in _TYPES:
            return Looks()
        async with self._turn:
            try:
                return _read(await _run(data, file_type.mime, self._path))
            except OSError:  # no process can be had: the picture goes without
                return Looks()


async def _run(data: bytes, mime: str, path: str) -> bytes:
    """What the process says of the picture, as far as it is no longer than an answer can be."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-c", _RUN, path, mime),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with suppress(ConnectionError):  # it has ended already
            process.stdin.write(data)
            await process.stdin.drain()
            process.stdin.close()
        answer = b""
        while len(answer) <= _ANSWER and (piece := await process.stdout.read(_ANSWER)):
            answer += piece
        return answer
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_S):  # it may have left a process behind that has the pipe
                while await process.stdout.read(_ANSWER):  # what is left in the pipe, which closes at its end only
                    pass
                await process.wait()
        process._transport.close()  # type: ignore[attr-defined]  # else what was left behind keeps our end open


def _environment() -> Mapping[str, str]:
    """Without our secrets: only what finds Python's libraries."""
    return {key: os.environ[key] for key in ("LD_LIBRARY_PATH",) if key in os.environ}


def _read(answer: bytes) -> Looks:
    """What a process that a picture may have taken over said of it."""
    try:
        found = json.loads(answer) if len(answer) <= _ANSWER else None
    except (ValueError, RecursionError):
        return Looks()
    match found:
        case {"width": width, "height": height, "blurhash": str(blurhash)} if _is_side(width) and _is_side(height):
            return Looks(width, height, blurhash)
        case _:
            return Looks()


def _is_side(found: object) -> bool:
    return found is None or (type(found) is int and 0 < found <= _LONGEST)


def main() -> None:
    """The process: reads a picture of the type in its last argument, and says how it looks."""
    for what, most in (
        (resource.RLIMIT_CPU, _CPU_S),
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (least, least))
    os.nice(10)
    found = looks(sys.stdin.buffer.read(), _TYPES[sys.argv[2]])
    print(json.dumps(asdict(found)))  # noqa: T201
