"""Runs a model in a thread of its own: the event loop goes on meanwhile."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from bots.trained import modelfile
from bots.trained.model import Model, unpacked
from bots.trained.reply import Said, answer
from bots.trained.talks import LONGEST


class Engine:
    """Answers from the model in a file."""

    def __init__(self, path: Path, shift: float = 0.0) -> None:
        """Reads the model. Raises ModelError."""
        self._model = load(path)
        self._shift = shift
        # One thread, and one for its sums: with more, the same sums take three times as much of a busy machine.
        self._thread = ThreadPoolExecutor(1, "trained", _one_thread)

    async def answer(self, turns: Sequence[str]) -> Said | None:
        """What to say after `turns`, oldest first, at least one. One after the other is thought about."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, answer, self._model, turns[-LONGEST:], self._shift)


def load(path: Path) -> Model:
    """The model in a file as it is now. Raises ModelError with the file's name."""
    try:
        there = path.stat()
    except OSError as error:
        raise modelfile.ModelError(f"{path}: cannot be read: {error.strerror}") from None
    return _load(path, there.st_mtime_ns, there.st_size)


@lru_cache(2)
def _load(path: Path, changed: int, size: int) -> Model:
    """Two bots, or the same config read again, share a model: so long as the file is the same."""
    contents = modelfile.read(path)
    try:
        return unpacked(contents)
    except modelfile.ModelError as error:
        raise modelfile.ModelError(f"{path}: {error}") from None


def _one_thread() -> None:
    threadpool_limits(1, "blas")
