"""How much work a call is, as something that is the same on every machine: the lines of Python that it runs."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def lines(call: Callable[[], object]) -> int:
    """Run `call`, and count the lines of Python that it has run. What is written in C is one line."""
    count = 0

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


def growth(call: Callable[[int], object], size: int) -> float:
    """By how much the work of `call(size)` grows when `size` is doubled: 2 if it is linear, 4 if it is a square."""
    return lines(lambda: call(2 * size)) / lines(lambda: call(size))
