"""Names of people on IRC: guarded, so that nobody is called by their own relayed words, in a colour of their own."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from hashlib import blake2b
from itertools import groupby

import regex

from bridge.irc.dialect.brief import CUT, clean, fitted
from bridge.irc.dialect.formatting import stripped
from bridge.irc.dialect.place import Place
from bridge.irc.dialect.stems import LONGEST, stem_of
from bridge.model.attribution import mark, stamp
from bridge.model.event import BOTS, Event, Mentioned
from bridge.model.outbox import Owed
from bridge.model.people import Sender
from bridge.model.presentation import Presentation
from bridge.model.text import Span, Text, as_name

GUARD = "\u200b"
"""Has no width. Between the characters of a name it keeps clients from taking that for the nick of their user."""
COLOURS = ("03", "04", "06", "10", "13", "30", "34", "41", "45", "47", "59", "61", "63", "64", "72", "73")
"""Codes of colours that can be read on a light and on a dark background
(https://modern.ircdocs.horse/formatting#colors)."""
_NOTHING = "\x02\x02"
"""Bold on and off again: keeps a comma at the beginning of a name apart from the colour code."""
_NICK = regex.compile(r"[\w\-\[\]\\`^{}|]+")
"""What may be a nick (RFC 2812 section 2.3.1)."""
_LONGEST_NICK = 20
_NO_NICK = re.compile(r"[^A-Za-z0-9\-\[\]\\`^{}_]")
_LETTER = re.compile(r"[A-Za-z0-9]")
_GRAPHEME = regex.compile(r"\X")
_COLOURED = re.compile(r"(.*?\x03[0-9]{2}(?:\x02\x02)?)([^\x03\x0f]*)(\x0f.*)", re.DOTALL)
_LEAST = 4
"""Bytes of a name that are shown, however long the rest of its mark."""


class Names:
    """How people are called in a place."""

    def __init__(self, place: Place, how: Presentation) -> None:
        self._place = place
        self._how = how

    def head(self, item: Owed) -> str:
        """What each line of a message begins with: `[10:02 UTC] <alice (guest)> `."""
        return stamp(item) + mark(item.event, self._marked)

    def own(self, item: Owed) -> str:
        """The nick of its speaker where each has one (RELAYMSG), without the ending that the server wants. '' if they
        have none: the message is nobody's, comes late, or the name has no letter that may be in a nick."""
        event = item.event
        if stamp(item) or not mark(event):
            return ""
        return nick_of(event.sender)

    def plain(self, sender: Sender) -> str:
        """The name of somebody in a notice, with the gate's note: it calls nobody."""
        return self.guarded(as_name(clean(sender.name))) + self._note(sender)

    def answered(self, who: Sender, item: Owed) -> str:
        """The name of somebody whom the message `item` answers. It calls people of this network, and those in the
        channel whom the message mentions. All others were shown here by their names, and are called elsewhere."""
        if may_call(item.event):
            if who.network == item.room.network and who.address:
                return clean(self._nick_now(who) or who.address)
            if who.network == item.event.room.network and (nick := self.mentioned(who.address, item.event)):
                return nick
        return self.guarded(as_name(clean(who.name)))

    def mentioned(self, address: str, event: Event) -> str | None:
        """The nick in the channel of somebody whom `event` mentions by an address of its own network; None if they are
        not there, or the event may call nobody."""
        if not may_call(event):
            return None
        nicks = (self._place.nick_of(each) for each in event.mentioned if each.address == address)
        return next((clean(nick) for nick in nicks if nick), None)

    def called(self, text: Text, event: Event) -> Text:
        """`text` with the nicks of those whom it mentions and who are in the channel; others by the names that it has
        for them, which call nobody if a guest wrote them."""
        if not any(span.mention for span in text):
            return text
        spans: list[Span] = []
        for address, group in groupby(text, key=lambda span: span.mention):
            named = [*group]
            if address and (nick := self.mentioned(address, event)):
                named = [named[0].with_text(nick)]
            elif address and not may_call(event):
                named = [span.with_text(self.guarded(span.text)) for span in named]
            spans += named
        return tuple(spans)

    def guarded(self, text: str) -> str:
        """`text` with a sign in each word that somebody's client in the channel may take for their nick."""
        if not self._how.guard_names or not self._place.nicks:
            return text
        return _NICK.sub(self._guard, text)

    def _guard(self, word: regex.Match[str]) -> str:
        text = word[0]
        if len(text) > LONGEST or not self._is_called(stem_of(self._place.casemapping.fold(text))):
            return text
        first = _GRAPHEME.match(text)
        end = first.end() if first else 1
        return text[:end] + GUARD + text[end:]

    def _is_called(self, stem: str) -> bool:
        """Whether somebody in the channel but us has a nick of that stem."""
        us = self._place.us
        ours = us in self._place.nicks and stem == stem_of(us)
        return self._stems.get(stem, 0) > ours

    @cached_property
    def _stems(self) -> Mapping[str, int]:
        place = self._place
        return Counter(map(stem_of, place.nicks)) if place.stems is None else place.stems

    def _marked(self, sender: Sender) -> str:
        name = self.guarded(clean(sender.name))
        if self._how.colour_names and self._place.colours:
            name = coloured(name, sender.casemapping.fold(sender.address))
        return name + self._note(sender)

    def _note(self, sender: Sender) -> str:
        return f" ({self.guarded(clean(sender.note))})" if sender.note else ""

    def _nick_now(self, who: Sender) -> str | None:
        return self._place.nick_of(Mentioned(who.address, who.user, who.proofs)) if who.user is not None else None


def nick_of(sender: Sender) -> str:
    """A nick made of a name, with the gate's note. A name that loses something by that gets a part of a hash of its
    address: nobody looks like somebody else because of it."""
    name = clean(sender.name)
    spaced = "_".join(name.split()) if "_" not in name else name
    folded = unicodedata.normalize("NFKD", spaced).encode("ascii", "ignore").decode()
    nick = _NO_NICK.sub("", folded)[:_LONGEST_NICK]
    if not _LETTER.search(nick):
        return ""
    if nick != spaced:
        nick += f"-{blake2b(sender.address.encode(errors='replace'), digest_size=2).hexdigest()}"
    note = _NO_NICK.sub("", clean(sender.note))[:_LONGEST_NICK]
    return f"{nick}|{note}" if note else nick


def may_call(event: Event) -> bool:
    """Whether people may be called by an event: not by those of guests."""
    return event.sender.user is not None or event.sender.network == BOTS


def coloured(name: str, address: str) -> str:
    """`name` in the colour of `address`, which is always the same."""
    colour = COLOURS[blake2b(address.encode(errors="replace")).digest()[0] % len(COLOURS)]
    return f"\x03{colour}{_NOTHING if name.startswith(',') else ''}{name}\x0f"


def clipped(head: str, size: int) -> str:
    """`head`, with its name shortened if it has more than `size` bytes (UTF-8). The closing bracket stays."""
    over = len(head.encode()) - size
    if over <= 0:
        return head
    if match := _COLOURED.fullmatch(head):
        before, name, after = match.groups()
        left = len(name.encode()) - over
        if left >= _LEAST + len(CUT.encode()):
            return before + fitted(name, left) + after
        head = stripped(head)
    ending = f"{CUT}> " if head.endswith("> ") else f"{CUT} "
    start = head.encode()[: max(size - len(ending.encode()), 0)].decode(errors="ignore")
    return start + ending if len(head.encode()) > size else head
