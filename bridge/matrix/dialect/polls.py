"""Polls (MSC3381, before and after it is final) in words: the question, and how many votes each answer got. No I/O."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.matrix.dialect.fields import Json, number, table, tables, values, word
from bridge.model.identifiers import MATRIX_ID_LIMIT
from bridge.model.text import one_line

_UNSTABLE = "org.matrix.msc3381.poll"
STARTS = ("m.poll.start", f"{_UNSTABLE}.start")
RESPONSES = ("m.poll.response", f"{_UNSTABLE}.response")
ENDS = ("m.poll.end", f"{_UNSTABLE}.end")
_POLLS = ("m.poll", f"{_UNSTABLE}.start")
"""Where the poll is in the content of a start."""
_TEXTS = ("m.text", "org.matrix.msc1767.text", "body")
_IDS = ("m.id", "id")
_QUESTION, _ANSWER = 400, 100
"""Characters of a question and of an answer at most."""
_ANSWERS = 20
"""Answers of a poll at most: others do not count (MSC3381)."""


@dataclass(frozen=True, slots=True)
class Poll:
    """A question, and the `answers` in their order. Of these, people may choose `most`."""

    question: str
    answers: tuple[str, ...]
    ids: tuple[str, ...]
    most: int

    @classmethod
    def of(cls, content: Json) -> "Poll | None":
        """The poll in the content of a start; None if it has no question or no answer."""
        poll = next(filter(None, (table(content, key) for key in _POLLS)), {})
        question = _text(table(poll, "question"), _QUESTION)
        answers = [each for each in values(poll, "answers")[:_ANSWERS] if isinstance(each, dict)]
        if not question or not answers:
            return None
        texts = tuple(_text(each, _ANSWER) or "?" for each in answers)
        ids = tuple(next(filter(None, (word(each, key) for key in _IDS)), "") for each in answers)
        return cls(question, texts, ids, max(1, number(poll, "max_selections") or 1))

    @property
    def line(self) -> str:
        """`[poll: Where shall we meet? 1. pond 2. lake]`."""
        choices = " ".join(f"{at}. {answer}" for at, answer in enumerate(self.answers, 1))
        most = min(self.most, len(self.answers))
        return f"[poll: {self.question} {choices}{f' (up to {most} answers)' if most > 1 else ''}]"

    def chosen(self, content: Json) -> frozenset[int]:
        """Which answers a response chooses; none if any of them is unknown: that spoils it."""
        is_final = "m.selections" in content
        given = values(content, "m.selections") if is_final else values(table(content, RESPONSES[1]), "answers")
        places = {each: at for at, each in enumerate(self.ids) if each}
        found = {places.get(each) if isinstance(each, str) else None for each in given[: self.most]}
        return frozenset() if None in found else frozenset(at for at in found if at is not None)


def is_end(event: Json) -> bool:
    return word(event, "type") in ENDS


def ended_by(end: Json) -> str:
    """The id of the poll that the event `end` ends; '' if it names none."""
    relates = table(end, "content", "m.relates_to")
    found = word(relates, "event_id") if word(relates, "rel_type") == "m.reference" else ""
    return found if len(found.encode()) <= MATRIX_ID_LIMIT else ""


def question_line(content: Json) -> str:
    """`[poll: ...]` for the content of a start: the question with its answers; if the poll is malformed, the text for
    old clients; '' if there is neither."""
    poll = Poll.of(content)
    return poll.line if poll is not None else _bracketed("poll", content)


def end_line(end: Json) -> str:
    """`[poll ended: ...]` without votes, where they are unknown: with the text that its sender gave for old clients."""
    return _bracketed("poll ended", table(end, "content")) or "[poll ended]"


@dataclass(slots=True)
class PollVotes:
    """The votes of a poll. `asker` asked the poll in the content `start` ('' if there is no such poll); `end` is the
    event that ends it; `complete`: whether all votes were counted, but for those that are `unreadable`, as they were
    sealed and could not be opened. `count` them latest first."""

    asker: str
    start: Json
    end: Json
    complete: bool = True
    number: int = 0
    unreadable: int = 0
    _poll: Poll | None = field(init=False)
    _chosen: dict[str, tuple[int, frozenset[int]]] = field(init=False, default_factory=dict)
    _ends: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._poll = Poll.of(self.start)

    def count(self, event: Json) -> None:
        """Count a response: of each person's, the latest until the end is the one that counts, valid or not. Of others
        that end the poll, note whose is earlier."""
        kind, sender, at = word(event, "type"), word(event, "sender"), _at(event)
        if self._poll is None or not table(event, "content"):
            return
        if kind in ENDS and (at, word(event, "event_id")) < (_at(self.end), word(self.end, "event_id")):
            self._ends.append(sender)
        elif kind in RESPONSES and at <= _at(self.end):
            self.number += 1
            before = self._chosen.get(sender)
            if before is None or before[0] < at:
                self._chosen[sender] = at, self._poll.chosen(table(event, "content"))

    def are_over(self, may_remove: Callable[[str], bool]) -> bool:
        """Whether this end is valid and the first: its sender asked the poll or may remove it."""

        def may_end(user: str) -> bool:
            return user == self.asker or may_remove(user)

        return bool(self.asker) and may_end(word(self.end, "sender")) and not any(map(may_end, self._ends))

    @property
    def result(self) -> str:
        """`[poll ended: Where shall we meet? pond 3, lake 1]`: most votes first, ties in the order of the poll."""
        if self._poll is None:
            return end_line(self.end)
        votes = Counter(answer for _, chosen in self._chosen.values() for answer in chosen)
        ranked = sorted(votes, key=lambda answer: (-votes[answer], answer))
        counted = ", ".join(f"{self._poll.answers[answer]} {votes[answer]:,}" for answer in ranked) or "no votes"
        more = "" if self.complete else f" (only the last {self.number:,} votes are counted)"
        if self.unreadable:
            more += f" ({self.unreadable:,} encrypted {'vote' if self.unreadable == 1 else 'votes'} could not be read)"
        return f"[poll ended: {self._poll.question} {counted}{more}]"


def _at(event: Json) -> int:
    return number(event, "origin_server_ts") or 0


def _bracketed(what: str, content: Json) -> str:
    text = _text(content, _QUESTION)
    return f"[{what}: {text}]" if text else ""


def _text(block: Json, most: int) -> str:
    """The plain text of a content block (MSC1767, before and after it is final) in one line."""
    for key in _TEXTS:
        plain = (word(each, "body") for each in tables(block, key) if word(each, "mimetype") in ("", "text/plain"))
        if text := " ".join(one_line(word(block, key) or next(plain, ""), most).split()):
            return text
    return ""
