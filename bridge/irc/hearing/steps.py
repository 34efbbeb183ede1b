"""Steps: values that one stage of hearing hands to the next, by way of the session."""

from dataclasses import dataclass

from bridge.irc.dialect.convert import Spoken
from bridge.irc.effects import Effect
from bridge.irc.wire.line import Source


@dataclass(frozen=True, slots=True)
class Now:
    """A line that was said now is due: find out who said it."""

    spoken: Spoken


@dataclass(frozen=True, slots=True)
class Old:
    """A line of history is due: find out who said it."""

    spoken: Spoken


@dataclass(frozen=True, slots=True)
class Settled:
    """The speaker of a line is known: `account` is theirs, '' for none."""

    spoken: Spoken
    account: str


@dataclass(frozen=True, slots=True)
class Learnt:
    """The server says which account `source` is logged in to, '' for none, and `since` when they are connected (seconds
    since the epoch, by the server; infinity if it does not say)."""

    source: Source
    account: str
    since: float


@dataclass(frozen=True, slots=True)
class AskWho:
    """Ask which accounts the people in `channel` are logged in to."""

    channel: str


@dataclass(frozen=True, slots=True)
class Fence:
    """Write a PING; its PONG says that the server has told all that it replays unasked."""


Step = Now | Old | Settled | Learnt | AskWho | Fence | Effect
