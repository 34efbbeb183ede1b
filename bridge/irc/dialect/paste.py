"""Long messages as one, where the server has multiline batches (https://ircv3.net/specs/extensions/multiline)."""

from collections.abc import Iterable

from bridge.irc.dialect.formatting import RESET, stripped
from bridge.irc.dialect.operations import Paste, Say
from bridge.irc.dialect.place import Place
from bridge.irc.wire.multiline import Capacity


def pasted(lines: Iterable[Iterable[Say]], capacity: Capacity) -> Paste | None:
    """All of `lines`, each cut into pieces that fit the server's lines, as one message. None if it is no more than a
    plain line, or more than the server takes."""
    pieces: list[str] = []
    joined: list[bool] = []
    first: Say | None = None
    size = 0
    for line in lines:
        for index, said in enumerate(line):
            first = first or said
            is_joined = index > 0 and _may_continue(said)
            text = _continued(pieces[-1], said) if is_joined else said.text
            size += len(text.encode(errors="replace")) + (not is_joined)
            pieces.append(text)
            joined.append(is_joined)
            if size > capacity.size or len(pieces) > capacity.lines:
                return None
    if first is None or len(pieces) == 1 or first.command != "PRIVMSG":
        return None
    return Paste(first.target, tuple(pieces), tuple(joined), first.text[: first.head])


def fits(paste: Paste, place: Place) -> bool:
    """Whether the server takes `paste` as it is: limits may have changed since it was rendered."""
    if place.multiline is None or len(paste.pieces) > place.multiline.lines:
        return False
    sizes = [len(piece.encode(errors="replace")) for piece in paste.pieces]
    budget = place.limits.budget("PRIVMSG", paste.target)
    return max(sizes) <= budget and sum(sizes) + len(sizes) - sum(paste.joined) <= place.multiline.size


def apart(paste: Paste) -> list[Say]:
    """The lines of a message for a server without multiline, each with the mark."""
    head = paste.head
    says = []
    for text, is_joined in zip(paste.pieces, paste.joined, strict=True):
        whole = head + text.removeprefix(RESET) if is_joined else text
        says.append(Say("PRIVMSG", paste.target, whole, len(head)))
    return says


def _may_continue(said: Say) -> bool:
    """Whether a piece may go on without the mark. People whose clients do not know multiline see it as a line of its
    own: one that begins with a letter or a digit cannot look like the mark of somebody else."""
    return not said.head or stripped(said.text[said.head :])[:1].isalnum()


def _continued(before: str, said: Say) -> str:
    """What goes on where `before` was cut. Formatting ends there for people who see lines, but not for the others."""
    text = said.text[said.head :]
    return text if before == stripped(before) else RESET + text
