"""Checks that must hold once a world with encrypted rooms has come to rest."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from bridge.model.event import Message
from bridge.model.text import plain
from tests.simulation.sealed.world import POND, PRIVATE, SealedWorld
from tests.simulation.speech import Ours

_TOKEN = re.compile(r"\w+\.\w+\.\d+;")
"""What is in each message, and in no other."""


def complaints(world: SealedWorld) -> Iterator[str]:
    """What is wrong in `world`, a line each."""
    yield from world.server.complaints
    for person in world.people:
        yield from person.unreadable()
        yield from person.complaints
    yield from _to_irc(world)
    yield from _to_matrix(world)
    yield from _in_private(world)


def _to_irc(world: SealedWorld) -> Iterator[str]:
    """What was said for the device that we are in the end has come: what was said for earlier ones is lost with them. A
    message that waited for its key may come after others."""
    came = _tokens(said.act.lines[0].text for said in world.irc.lines if isinstance(said.act, Ours))
    said = [each for person in world.people for each in person.said if each.room_id == POND]
    owed = [each.text for each in said if world.server.curve25519 in each.devices]
    yield from _wrong("to IRC", owed, came, known={each.text for each in said})
    prompt = {each.text for each in said if each.id not in world.waited}
    yield from _disorder("to IRC", [token for token in came if token in prompt])


def _to_matrix(world: SealedWorld) -> Iterator[str]:
    """A restored store has forgotten what it merged into one message, may merge differently, and say it twice."""
    wanted = [plain(said.act.text) for said in world.irc.lines if isinstance(said.act, Message)]
    for person in world.people:
        came = _tokens(text for room_id, text in person.read if room_id == POND)
        came = [*dict.fromkeys(came)] if world.rewinds else came
        yield from _wrong(f"to {person.user}", wanted, came, known={*wanted})
        yield from _disorder(f"to {person.user}", came)


def _in_private(world: SealedWorld) -> Iterator[str]:
    """As in the room; what a restored store did not know was owed once more, at the end."""
    carol = world.people[1]
    came = _tokens(text for room_id, text in carol.read if room_id == PRIVATE)
    came = sorted({*came}) if world.rewinds else came
    wanted = [plain(notice.text) for notice in world.notices]
    yield from _wrong("in private", wanted, came, known={*wanted})
    yield from _disorder("in private", came)
    heard = world.heard_in_private()
    said = [each for each in carol.said if each.room_id == PRIVATE and world.server.curve25519 in each.devices]
    yield from (f"never heard in private: {each.text}" for each in said if each.id not in heard)


def _tokens(texts: Iterable[str]) -> list[str]:
    return [token for text in texts for token in _TOKEN.findall(text)]


def _wrong(where: str, owed: Sequence[str], came: Sequence[str], known: set[str]) -> Iterator[str]:
    if lost := [each for each in owed if each not in came]:
        yield f"{where}: lost {lost}"
    if doubled := [each for each, number in Counter(came).items() if number > 1]:
        yield f"{where}: doubled {doubled}"
    if strange := {*came} - known:
        yield f"{where}: never said: {sorted(strange)}"


def _disorder(where: str, came: Sequence[str]) -> Iterator[str]:
    """What each of them said comes in their order."""
    for who in sorted({each.rsplit(".", 1)[0] for each in came}):
        numbers = [int(each.rsplit(".", 1)[1].rstrip(";")) for each in came if each.rsplit(".", 1)[0] == who]
        if numbers != sorted(numbers):
            yield f"{where}: out of order: {who} {numbers}"
