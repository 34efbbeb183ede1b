"""`calc`."""

from bots.commands import arithmetic
from bots.commands.command import Call, command


@command("calc SUM", "calculate")
def calc(call: Call) -> str | None:
    """Calculate a sum, a power, a percentage.

    Knows + - * / ^ % !, brackets, pi, e, sqrt, ln, log, exp, sin, cos, tan, abs, round, floor, ceil, min and max,
    with 50 digits.

    >>> calc 2 + 3 * (4 - 1)
    11
    >>> calc 20% of 85
    17
    >>> calc 2^100
    1267650600228229401496703205376
    >>> calc 1 / 0
    I cannot: that divides by zero.
    """
    if not any(map(str.isdecimal, call.args)) and "pi" not in call.args.lower().split():
        return None  # words: calculate the odds
    try:
        return arithmetic.spelled(arithmetic.calculate(call.args.rstrip("=? ")))
    except arithmetic.NoValue as error:
        return f"I cannot: {error}."


COMMANDS = (calc,)
