"""Fetches a poll and its votes from the homeserver (spec, "Relationships API")."""

from collections.abc import Callable

from bridge.matrix.dialect import amend, polls
from bridge.matrix.dialect.fields import Json, table, word
from bridge.matrix.dialect.polls import PollVotes
from bridge.matrix.http.homeserver import Homeserver

Opened = Callable[[str, Json], Json | None]
_MOST = 2000
"""Most events that are read of a poll."""
_PAGE = 200
_PAGES = 40
"""Most pages: homeservers may make them smaller than they are asked to."""


def _as_it_is(_room_id: str, event: Json) -> Json:
    return event


async def of(
    homeserver: Homeserver, room_id: str, end: Json, may_remove: Callable[[str], bool], opened: Opened = _as_it_is
) -> PollVotes:
    """The poll that `end` ends, and the answers to it if it may end it; answers to nothing if it is no poll or was
    removed. `may_remove`: whether a user may remove what others said. `opened`: what is in an event, sealed or not;
    None if it cannot be opened. Raises what `Homeserver` raises."""
    target = polls.ended_by(end)
    asked = await homeserver.get("rooms", room_id, "event", target)
    event = opened(room_id, asked) or {}
    if word(event, "type") not in polls.STARTS or not table(event, "content"):
        return PollVotes("", {}, end)
    shown = await _shown(homeserver, room_id, event) if event is asked else table(event, "content")
    answers = PollVotes(word(event, "sender"), shown, end)
    if answers.are_over(may_remove):
        await _count(homeserver, room_id, target, answers, opened)
    return answers


async def _shown(homeserver: Homeserver, room_id: str, event: Json) -> Json:
    """The content of the poll as it is shown now, with its own relation, which an edit does not change."""
    shown = amend.latest(event)
    if isinstance(shown, str):
        shown = table(await homeserver.get("rooms", room_id, "event", shown), "content", "m.new_content")
    relates = {"m.relates_to": table(event, "content", "m.relates_to")}
    return {**(shown or table(event, "content")), **relates}


async def _count(homeserver: Homeserver, room_id: str, target: str, answers: PollVotes, opened: Opened) -> None:
    read = 0

    def take(event: Json) -> None:
        nonlocal read
        read += 1
        found = opened(room_id, event)
        if found is not None:
            answers.count(found)
        answers.unreadable += found is None

    token = ""
    for _ in range(_PAGES):
        query = {"dir": "b", "limit": str(_PAGE)} | ({"from": token} if token else {})
        page = await homeserver.each("rooms", room_id, "relations", target, "m.reference", query=query, take=take)
        token, before = word(page, "next_batch"), token
        if not token or token == before:
            return
        if read >= _MOST:
            break
    answers.complete = False
