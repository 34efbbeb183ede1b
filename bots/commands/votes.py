"""Polls: one in each link or room."""

from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import JsonValue

from bots.api import Memory, Question
from bots.audience import visitor
from bots.commands.shelf import Full, Shelf
from bots.commands.slips import place_of

_POLLS = 100
_VOTERS = 300
_LASTS_S = 7 * 86_400.0


class Poll(NamedTuple):
    """`votes`: the number of the option, from 0, by voter. `by`: who has begun it."""

    question: str
    options: tuple[str, ...]
    by: str
    time: float
    votes: dict[str, int]

    def counts(self) -> list[int]:
        """How many voted for each option."""
        return [sum(vote == number for vote in self.votes.values()) for number in range(len(self.options))]


class Crowded(Exception):
    """There is no place for another vote or poll."""


def may_take_part(question: Question) -> bool:
    """Whether all of the link hears who asks: polls are not for guests who are not carried, nor in private."""
    return not question.private and (question.carried or not question.link)


@dataclass(slots=True)
class Votes:
    """The polls of one bot."""

    memory: Memory
    _shelf: Shelf = field(init=False)

    def __post_init__(self) -> None:
        self._shelf = Shelf(self.memory, "commands/poll/", _POLLS)

    async def open_poll(self, question: Question) -> Poll | None:
        """The poll where this was asked; None if there is none, or the last one was too long ago."""
        poll = _read((await self._shelf.open()).get(place_of(question)))
        return poll if poll is not None and question.time < poll.time + _LASTS_S else None

    async def begin(self, question: Question, about: str, options: tuple[str, ...]) -> Poll:
        """Begin a poll in the place of the one before. Raises Crowded."""
        poll = Poll(about, options, _voter(question), question.time, {})
        await self._store(question, poll)
        return poll

    async def vote(self, question: Question, poll: Poll, option: int) -> Poll:
        """Count the vote of who asks, in the place of an earlier one. Raises Crowded."""
        if _voter(question) not in poll.votes and len(poll.votes) >= _VOTERS:
            raise Crowded
        poll = poll._replace(votes={**poll.votes, _voter(question): option})
        await self._store(question, poll)
        return poll

    async def end(self, question: Question) -> None:
        """Forget the poll."""
        await self._shelf.drop(place_of(question))

    def is_by(self, question: Question, poll: Poll) -> bool:
        """Whether who asks has begun `poll`."""
        return poll.by == _voter(question)

    async def _store(self, question: Question, poll: Poll) -> None:
        value: JsonValue = [poll.question, [*poll.options], poll.by, poll.time, {**poll.votes}]
        try:
            await (await self._shelf.open()).replace_oldest(place_of(question), value)
        except Full:
            raise Crowded from None


def _voter(question: Question) -> str:
    return visitor(question)[:12]  # 300 of them must fit into one value


def _read(value: JsonValue) -> Poll | None:
    match value:
        case [str(about), list(options), str(by), int() | float() as time, dict(votes)]:
            counted = {voter: vote for voter, vote in votes.items() if isinstance(vote, int)}
            return Poll(about, tuple(map(str, options)), by, float(time), counted)
    return None
