"""How much memory Python's objects take."""

import gc
import tracemalloc
from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def footprint() -> Generator[Callable[[], int], None, None]:
    """Yields what tells how many bytes were taken since, and are still."""
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()

    def taken() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    try:
        yield taken
    finally:
        tracemalloc.stop()
