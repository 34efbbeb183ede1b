"""What a bot says, as events in its ear. Their ids follow from the question, so that it is answered once."""

from collections.abc import Callable, Iterable, Sequence

from bots import markdown
from bots.api import Reply, Said
from bridge.lib.ids import digest
from bridge.model.event import BOTS, DESK, Body, Edit, Event, EventKey, Kind, Message, Reach, Redaction, Room
from bridge.model.people import Sender
from bridge.model.text import Text, merge, plain, words

_SAID = 20_000
"""Characters of one answer at most: whatever a brain makes of a stranger's words, it is stored and carried."""
_MORE = words(" \u2026")


class Voice:
    """Says the answer of the bot `key` to one question, into the `ear` where it was heard.

    An answer that grows is two messages: one where it can be edited, which is shown early, and one elsewhere, which is
    said when all is known. `grown` ends it with all that there may ever be of both, in one batch: whatever of it is
    stored already is not stored again, also after a crash.
    """

    def __init__(self, ear: Room, key: str, name: str, question: Event, clock: Callable[[], float]) -> None:
        self._ear = ear
        self._key = key
        self._name = name
        self._question = question
        self._clock = clock
        self._shown = 0

    def said(self, texts: Sequence[Text]) -> Sequence[Event]:
        """The whole answer: messages for all who hear it."""
        return [self._event(str(part), Message(text, Kind.NOTICE)) for part, text in enumerate(texts)]

    def growing(self, text: Text) -> Sequence[Event]:
        """What there is of the answer."""
        self._shown += 1
        text = merge((*text, *_MORE))
        if self._shown == 1:
            return [self._first(text)]
        return [self._event(f"growing {self._shown}", Edit(self._begun, text, Kind.NOTICE))]

    def grown(self, texts: Sequence[Text]) -> Sequence[Event]:
        """The whole answer, part of which was perhaps shown. If there is none after all, what was shown is removed."""
        if not texts:
            return [self._event("none", Redaction(self._begun))] if self._shown else []
        first, *rest = texts
        whole = [
            self._first(first),
            self._event("grown", Edit(self._begun, first, Kind.NOTICE)),
            self._event("0", Message(first, Kind.NOTICE, reach=Reach.FIXED)),
        ]
        return [*whole, *(self._event(str(part), Message(text, Kind.NOTICE)) for part, text in enumerate(rest, 1))]

    def _first(self, text: Text) -> Event:
        return self._event("growing", Message(text, Kind.NOTICE, reach=Reach.EDITABLE))

    @property
    def _begun(self) -> EventKey:
        return EventKey(self._ear, self._id("growing"))

    def _id(self, part: str) -> str:
        return digest("answer", self._key, str(self._question.room), self._question.id, part)

    def _event(self, part: str, body: Body) -> Event:
        private = self._question.private or self._key == DESK
        return spoken(self._ear, self._key, self._name, self._id(part), body, self._clock(), private=private)


def spoken(ear: Room, key: str, name: str, id_: str, body: Body, time: float, *, private: bool) -> Event:
    """What the bot `key` says into an ear."""
    return Event(id_, ear, Sender(BOTS, key, name, bot=True), time, body, private)


def texts_of(answers: Iterable[Said]) -> Sequence[Text]:
    """What is said, without what is empty."""
    return [text for text in map(as_text, answers) if text]


def as_text(said: Said) -> Text:
    """What is said, as styled text; a string is Markdown. Raises TypeError if a bot has said something else."""
    text = said.text if isinstance(said, Reply) else said
    if isinstance(text, str):
        return markdown.read(text)
    if not isinstance(text, tuple):
        raise TypeError(f"a bot says a string, a text or a Reply, not {type(text).__name__}")
    return text if len(plain(text)) <= _SAID else words(plain(text)[:_SAID])
