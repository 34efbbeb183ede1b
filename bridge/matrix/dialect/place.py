"""What rendering for a Matrix room needs to know besides what is owed to it."""

from collections.abc import Callable
from dataclasses import dataclass

from bridge.model.people import Sender
from bridge.model.presentation import DEFAULT, Presentation


def _nobody(_called: str) -> None:
    return None


def _no_picture(_sender: Sender) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Place:
    """`who` gives the Matrix id of the one person in the room who may be called so, else None. `picture` gives the
    `mxc://` URI of somebody's picture, '' if there is none (yet). Both answer at once."""

    how: Presentation = DEFAULT
    who: Callable[[str], str | None] = _nobody
    picture: Callable[[Sender], str] = _no_picture
