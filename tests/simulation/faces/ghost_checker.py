"""What must hold once a world with ghosts has come to rest."""

import re
from collections.abc import Iterator

from bridge.model.event import Message
from bridge.model.presentation import Banned
from bridge.model.text import plain
from tests.simulation.faces.ghosts import FAR, US, GhostWorld, ghost
from tests.simulation.speech import Ours

_LATE = re.compile(r"^\[[\d:]+ UTC\] ")
"""Before the name in what comes late."""
_TOKEN = re.compile(r"(irc|home)\.(\w+)\.\d+;")


def complaints(world: GhostWorld) -> Iterator[str]:
    """What is wrong in `world`, a line each."""
    yield from _to_matrix(world)
    yield from _to_irc(world)
    if world.queued():
        yield f"{world.queued()} deliveries are not done"


def _to_matrix(world: GhostWorld) -> Iterator[str]:
    """Each line has come once, in order, by the ghost of who said it or by the bridge with their name, unless it was
    refused because the ghost was removed."""
    said = [plain(each.act.text) for each in world.libera.lines if each.room == FAR and isinstance(each.act, Message)]
    seen: list[str] = []
    for _, sender, content in world.house.events.values():
        is_ours = sender == US or sender.startswith("@irc_")
        for line in str(content["body"]).split("\n") if is_ours else ():
            for found in _TOKEN.finditer(line):
                seen.append(found[0])
                by_ghost = sender == ghost(found[2]) and line == found[0]
                by_bridge = sender == US and _LATE.sub("", line).startswith(f"<{found[2]}")
                if not (by_ghost or by_bridge):
                    yield f"said by the wrong one: {sender}: {line}"
    refused = _refused(world)
    if refused and world.banned is Banned.MARK:
        yield f"refused, though they are to be marked: {refused}"
    yield from (f"lost: {line}" for line in said if line not in seen and line not in refused)
    yield from (f"doubled: {line}" for line in dict.fromkeys(seen) if seen.count(line) > 1)
    if [*dict.fromkeys(seen)] != [line for line in said if line in seen]:
        yield f"out of order: {seen}"
    told = [line.text for each in world.libera.lines if isinstance(each.act, Ours) for line in each.act.lines]
    if world.starts == 1 and refused and not any("not delivered" in text for text in told):
        yield "nobody was told that their ghost was removed"


def _refused(world: GhostWorld) -> set[str]:
    rows = world.disk.sql.execute(
        "SELECT e.excerpt FROM deliveries AS d JOIN events AS e ON e.seq = d.event"
        " WHERE d.state = 'dead' AND instr(d.reason, 'who speaks for')"
    )
    return {found[0] for (excerpt,) in rows for found in _TOKEN.finditer(excerpt)}


def _to_irc(world: GhostWorld) -> Iterator[str]:
    """What people on Matrix said has come once, in order; nothing that a ghost or the bridge said."""
    said = [str(content["body"]) for _, sender, content in world.house.events.values() if sender in _PEOPLE]
    posts = [each.act.lines for each in world.libera.lines if each.room == FAR and isinstance(each.act, Ours)]
    seen = [found[0] for lines in posts for line in lines for found in _TOKEN.finditer(line.text)]
    if seen != said:
        yield f"on IRC: {seen}, not {said}"


_PEOPLE = ("@alice:hs", "@carol:hs")
