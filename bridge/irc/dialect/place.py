"""Where we speak: what rendering needs to know of a channel, or of a person, and of the server."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from bridge.irc.wire.multiline import Capacity
from bridge.model.casemap import Casemapping
from bridge.model.event import Mentioned


@dataclass(frozen=True, slots=True)
class Limits:
    """How long our lines may be: `line` bytes with CR LF and without tags. `prefix` bytes of these are the
    `:nick!user@host ` that the server puts before what we wrote when it shows it to others. `topic` is the most bytes
    of a topic (ISUPPORT TOPICLEN), 0 if the server does not say."""

    line: int = 512
    prefix: int = 1 + 32 + 1 + 12 + 1 + 64 + 1
    topic: int = 0

    def budget(self, command: str, target: str) -> int:
        """Bytes left for the text of one line."""
        return self.line - self.prefix - len(f"{command} {target} :\r\n".encode())


def _of_nobody(_: Mentioned) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Place:
    """A channel or a private conversation.

    `tags`: client-only tags may be sent. `redaction`: the server has draft/message-redaction. `colours`: colour codes
    get through, unlike in a channel with mode +c. `nicks` are those of the people in the channel, folded by
    `casemapping`, with ours (`us`) among them; `stems`: how many of them have each stem, None if they are not counted
    yet. `nick_of` gives the nick there of a user whom a message mentions; None
    if they are not there. `multiline` is what the server takes as one message; None if it takes lines only.
    `relays`: speakers have nicks of their own (RELAYMSG).
    """

    limits: Limits = Limits()
    tags: bool = False
    redaction: bool = False
    colours: bool = False
    nicks: Collection[str] = frozenset()
    nick_of: Callable[[Mentioned], str | None] = _of_nobody
    casemapping: Casemapping = Casemapping.RFC1459
    us: str = ""
    multiline: Capacity | None = None
    relays: bool = False
    stems: Mapping[str, int] | None = None
