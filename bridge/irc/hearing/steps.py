"""What one stage of hearing hands to the next. Each is a value; the session takes it forward."""

from dataclasses import dataclass

from bridge.irc.dialect.convert import Spoken
from bridge.irc.effects import Effect
from bridge.irc.wire.line import Source


@dataclass(frozen=True, slots=True)
class Now:
    """It is the turn of a line that was said now: find out who said it."""

    spoken: Spoken


@dataclass(frozen=True, slots=True)
class Old:
    """It is the turn of a line of a history: find out who said it."""

    spoken: Spoken


@dataclass(frozen=True, slots=True)
class Settled:
    """It is known who said it: somebody with that account, '' for none."""

    spoken: Spoken
    account: str


@dataclass(frozen=True, slots=True)
class Learnt:
    """The server says which account `source` is logged in to, '' for none."""

    source: Source
    account: str


@dataclass(frozen=True, slots=True)
class AskWho:
    """Ask which accounts the people in `channel` are logged in to."""

    channel: str


@dataclass(frozen=True, slots=True)
class Fence:
    """Write a PING: its PONG says that the server has told all that it tells by itself."""


Step = Now | Old | Settled | Learnt | AskWho | Fence | Effect
