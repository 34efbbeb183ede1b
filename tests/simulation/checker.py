"""Checks that must hold once a simulated world has come to rest."""

import re
from collections.abc import Iterator

from bridge.model.event import Room
from bridge.rules.link import Link
from tests.simulation.followed import unfollowable
from tests.simulation.reader import ABSENT, Told, View, ends_of
from tests.simulation.speech import Ours, Said
from tests.simulation.world import LINKS, World

_OWN_WORDS = re.compile(r"\w+\.\w+\.\d+\.\d+\+*;")
"""What is in no other message."""


def complaints(world: World) -> Iterator[str]:
    """What is wrong in `world`, a line each."""
    timelines = {"home": world.home.timeline, "libera": world.libera.lines}
    entries = {room: [said for said in timelines[room.network] if said.room == room] for room in _rooms()}
    views = {room: View.of(entries[room]) for room in _rooms()}
    told = {room: _told(world, entries[room], views[room]) for room in _rooms()}
    for link in LINKS:
        for source, target in _ways(link):
            where = f"{source} -> {target}"
            yield from (f"{where}: {line}" for line in _carried(told[source], views[target], target))
            yield from (
                f"{where}: {line}" for line in _marked(told[source], told[target], views[target], rewinds=world.rewinds)
            )
            yield from (f"{where}: {line}" for line in _answered(world, told, views[target], source))
    for room in _rooms():
        yield from (f"{room}: about something else: {line}" for line in views[room].misplaced)
        yield from (f"{room}: edited to the same: {line}" for line in views[room].needless)
        yield from (f"{room}: {line}" for line in _doubled(world, room, entries[room], views[room]))
    yield from _stored(world, told, views)
    for link in LINKS:
        source, target = link.rooms
        found = unfollowable(world, entries[source], entries[target], views[target])
        yield from (f"{target}: {line}" for line in found)
    yield from dict.fromkeys(world.leftovers)


def _rooms() -> Iterator[Room]:
    yield from (room for link in LINKS for room in link.rooms)


def _ways(link: Link) -> Iterator[tuple[Room, Room]]:
    first, second = link.rooms
    yield first, second
    yield second, first


def _told(world: World, entries: list[Said], view: View) -> Told:
    own = [(said, _is_owed(world, said)) for said in entries if not isinstance(said.act, Ours)]
    return Told.of(view, own, world.by_hand)


def _carried(told: Told, view: View, target: Room) -> Iterator[str]:
    """Each message has arrived, in order, with the words of now; of removed ones, none can be read."""
    for name in told.words:
        end = view.words(name) if name in view.order else ABSENT
        if end not in told.ends(name):
            yield f"{name} is {end!r}, not {sorted(told.ends(name))}"
    seen = [name for name in view.order if name in told.words]
    if seen != [name for name in told.words if name in view.order]:
        yield f"out of order: {seen}"
    if unsaid := [name for name in view.order if name not in told.words and not name.startswith(f"{target} ")]:
        yield f"never said: {unsaid}"


def _marked(told: Told, other: Told, view: View, *, rewinds: bool) -> Iterator[str]:
    """Each reaction that was not taken back is there once, unless what it is about was removed, or never heard."""
    reactions = view.reactions()
    for mark, steps in told.marks.items():
        number = reactions[mark]
        about = told if mark.message in told.words else other
        if number > 1:
            yield f"{mark} is there {number} times"
        forgotten = rewinds and about is not told  # what it is about may be unknown just then
        if (
            about.is_sure(mark.message)
            and not forgotten
            and ("on" if number else "off") not in ends_of(told.marks, mark)
        ):
            yield f"{mark} is there {number} times, after {steps}"


def _answered(world: World, told: dict[Room, Told], view: View, source: Room) -> Iterator[str]:
    """A reply is to what it was to, if that is known."""
    for name, step in told[source].replies.items():
        found = view.answered.get(name, set())
        known = any(step.value in each.words and each.words[step.value][0].sure for each in told.values())
        if found - {step.value} or (name in view.order and known and not world.rewinds and not found):
            yield f"{name} replies to {found}, not {step.value}"


def _doubled(world: World, room: Room, entries: list[Said], view: View) -> Iterator[str]:
    """A post comes once, unless nobody knew whether it had come."""
    may = room.network == "libera" and not world.history
    for post, number in view.copies.items():
        if number > 1 + (world.doubts.get(post, 0) if may else 0):
            yield f"doubled: {[str(said) for said in entries if said.post == post]}"


def _stored(world: World, told: dict[Room, Told], views: dict[Room, View]) -> Iterator[str]:
    """All is done, the store knows what has arrived, and has no words any more of what was removed."""
    if world.unfinished():
        yield f"{world.unfinished()} deliveries are not done"
    sql = world.disk.sql
    rows = sql.execute(
        "SELECT e.network || '/' || e.room || ' ' || e.id, d.network, d.room, state FROM deliveries AS d"
        " JOIN events AS e ON e.seq = d.event WHERE type = 'message'"
    ).fetchall()
    arrived = {(name, room) for room, view in views.items() for name in view.order if not name.startswith(f"{room} ")}
    if ghosts := arrived - {(name, Room(*room)) for name, *room, _ in rows}:
        yield f"arrived, and unknown to the store: {ghosts}"
    if ghosts := {(name, Room(*room)) for name, *room, state in rows if state == "sent"} - arrived:
        yield f"sent, as far as the store knows, and never arrived: {ghosts}"
    needless = sql.execute(
        "SELECT r.id FROM deliveries AS d JOIN events AS r ON r.seq = d.event WHERE r.type = 'redaction'"
        " AND d.state = 'sent' AND EXISTS (SELECT 1 FROM deliveries AS m WHERE m.event = r.target"
        " AND m.state = 'dropped' AND m.network = d.network AND m.room = d.room"
        " AND NOT EXISTS (SELECT 1 FROM sent WHERE delivery = m.seq))"
    ).fetchall()
    if needless:
        yield f"removals of what was never sent: {needless}"
    kept = [
        text
        for query in (
            "SELECT excerpt, body FROM events",
            "SELECT payload FROM posts",
            "SELECT name, source, text FROM media",
        )
        for row in sql.execute(query)
        for text in row
        if text
    ]
    for each in told.values():
        for name in each.removed():
            steps = [*each.words[name], *each.late.get(name, ())]
            said = {one for step in steps for one in _OWN_WORDS.findall(step.value)}
            if any(one in text for one in said for text in kept):
                yield f"the store has words of {name}, which was removed"


def _is_owed(world: World, line: Said) -> bool:
    """Where IRC keeps no history, only what was acknowledged."""
    return line.room.network == "home" or world.history or line.id in world.libera.acknowledged
