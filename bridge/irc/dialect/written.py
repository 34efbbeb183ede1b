"""The lines that an operation needs under the limits of now: they may have changed since it was rendered."""

from collections.abc import Sequence
from dataclasses import replace

from bridge.irc.dialect.operations import Operation, Paste, Say
from bridge.irc.dialect.paste import apart, fits
from bridge.irc.dialect.place import Place
from bridge.irc.dialect.render import refit


def lines_of(operation: Operation, place: Place) -> Sequence[Operation]:
    """The operations that are written one by one. A reply names what it answers in the first."""
    match operation:
        case Paste() if fits(operation, place):
            return [operation]
        case Paste():
            says = apart(operation)
        case Say():
            says = [operation]
        case _:
            return [operation]
    first, *rest = (part for said in says for part in refit(said, place.limits))
    return [replace(first, reply=operation.reply), *rest]
