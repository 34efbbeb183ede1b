"""`roll` and `choose`."""

import re

from bots.commands.command import Call, command
from bridge.model.text import one_line

_DICE = re.compile(r"(\d{0,20})[dw](\d{1,20}|%)(?:\s*([+-])\s*(\d{1,4}))?", re.IGNORECASE)
_MOST_DICE = 50
_SHOWN = 10
_OPTIONS = 20


@command("roll [DICE]")
def roll(call: Call) -> str | None:
    """Roll one die or some.

    At most 50 dice of 2 to 1000 sides, and a number to add: `roll d20+3`. Alone: one die of six sides.

    >>> roll 2d6
    2d6: 2 + 5 = 7
    >>> roll
    d6: 1
    >>> roll 500d6
    I roll 1 to 50 dice of 2 to 1000 sides.
    """
    match = _DICE.fullmatch(call.args or "d6")
    if match is None:
        return None
    dice, sides = int(match[1] or 1), 100 if match[2] == "%" else int(match[2])
    if not (0 < dice <= _MOST_DICE and 2 <= sides <= 1000):
        return "I roll 1 to 50 dice of 2 to 1000 sides."
    rolled = [call.chance.randint(1, sides) for _ in range(dice)]
    more = int(f"{match[3]}{match[4]}") if match[3] else 0
    total, parts = sum(rolled) + more, [*map(str, rolled)] if dice <= _SHOWN else [f"{dice} dice"]
    added = f" {match[3]} {match[4]}" if match[3] else ""
    shown = call.args or "d6"
    return f"{shown}: {total}" if len(parts) == 1 and not added else f"{shown}: {' + '.join(parts)}{added} = {total}"


@command("choose A | B ...", "pick")
def choose(call: Call) -> str | None:
    """Choose one of some things, with | or "or" between them.

    >>> choose tea | coffee
    tea
    >>> choose to stay at home or go out?
    to stay at home
    """
    options = call.args.rstrip("?").split("|") if "|" in call.args else re.split(r",? or |, ", call.args.rstrip("?"))
    options = [each.strip() for each in options if each.strip()]
    if not 2 <= len(options) <= _OPTIONS:
        return None
    return one_line(call.chance.choice(options))


COMMANDS = (roll, choose)
