"""Turns the end of a poll into a message with the votes, once for each poll."""

from collections.abc import Callable

from bridge.lib.lru import LruDict
from bridge.matrix.dialect import convert, polls
from bridge.matrix.dialect.fields import Json, word
from bridge.matrix.hearing.asking import Asking
from bridge.matrix.rooms.joined import JoinedRoom
from bridge.model.event import Event, Room
from bridge.model.people import Sender

_POLLS = 1000
"""Most polls of which the event that ended them is remembered: others do not end them again."""


class EndedPolls:
    """Asks the homeserver for the votes, if `carries` says that the sender is carried from the room."""

    def __init__(self, asking: Asking, carries: Callable[[Sender, Room], bool]) -> None:
        self._asking = asking
        self._carries = carries
        self._ends = LruDict[tuple[str, str], str](_POLLS)

    async def ended(
        self, joined: JoinedRoom, end: Json, who: Sender, may_remove: Callable[[str], bool], *, replayed: bool
    ) -> Event | None:
        """What `who` said by the event `end`: the votes, or the words of the event if it is not carried, or the
        homeserver does not tell. None if it ends no poll. `may_remove`: whether a user may remove what others say."""
        poll, end_id = polls.ended_by(end), word(end, "event_id")
        if not poll or self._ends.get((joined.id, poll)) not in (None, end_id):
            return None
        votes = await self._asking.poll(joined.id, end, may_remove) if self._carries(who, joined.room) else None
        if votes is not None and not votes.are_over(may_remove):
            return None
        if votes is not None:
            self._ends[joined.id, poll] = end_id
        text = polls.end_line(end) if votes is None else votes.result
        body = convert.ended(end, {} if votes is None else votes.start, text, joined.room)
        return convert.enveloped(end, joined.room, who, body, private=joined.private, replayed=replayed)
