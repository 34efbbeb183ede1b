"""What must hold once a world with puppets has come to rest."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from bridge.model.event import Message
from bridge.model.presentation import Banned
from bridge.model.text import plain
from bridge.rules.link import Link
from tests.simulation.faces.ircd import Spoken
from tests.simulation.faces.pipes import Pipe
from tests.simulation.faces.puppets import GUEST, ON_MATRIX, USERNAMES, PuppetWorld
from tests.simulation.speech import Ours

_TOKEN = re.compile(r"(\w+)\.(\w+)\.(\d+\+?);")
_LATE = re.compile(r"^\[[\d:]+ UTC\] ")
"""Before the name in what comes late."""
_BANNED = "is banned or muted"
_DOUBTED = ("before the server confirmed", "nobody has seen the message", "the member's connection was lost")
_EXACT_S = 1e-6


def complaints(world: PuppetWorld) -> Iterator[str]:
    """What is wrong in `world`, a line each."""
    for link in world.links:
        yield from _to_irc(world, link)
        yield from _to_matrix(world, link)
    yield from _by_whom(world)
    yield from _banned(world)
    yield from _connections(world)
    if world.queued():
        yield f"{world.queued()} deliveries are not done"


def _to_irc(world: PuppetWorld, link: Link) -> Iterator[str]:
    """Each line has come, once, in the order in which it was said, whoever said it, unless it was refused. One whose
    refusal was not stored yet when the process was killed may go through later, when the ban is lifted."""
    home, libera = link.rooms
    people = (*ON_MATRIX, GUEST)
    said = [
        line
        for each in world.home.timeline
        if each.room == home and isinstance(each.act, Message)
        for line in plain(each.act.text).split("\n")
    ]
    seen = [
        found[0]
        for each in world.ircd.spoken
        if each.channel == libera.id
        for found in _TOKEN.finditer(each.text)
        if found[2] in people
    ]
    refused = _refused(world)
    for line in said:
        may = world.doubts[line] if world.resends and not world.features.history else 0
        if line not in seen and line not in refused:
            yield f"{libera}: lost: {line}"
        if seen.count(line) > 1 + may:
            yield f"{libera}: doubled: {line} came {seen.count(line)} times, {may} in doubt"
    late = {name for user, name in USERNAMES.items() if (libera.id, user) in world.ircd.ever_banned}
    first = [line for line in dict.fromkeys(seen) if line.split(".")[1] not in late]
    if first != [line for line in said if line in first]:
        yield f"{libera}: out of order: {first}"


def _refused(world: PuppetWorld) -> set[str]:
    """The lines of messages that are dead: their speaker is banned, or nobody knows whether they were said, and the
    bridge is not to say them again."""
    doubted = () if world.resends else _DOUBTED
    return {line for reason in (_BANNED, *doubted) for line in _dead(world, reason)}


def _dead(world: PuppetWorld, reason: str) -> set[str]:
    rows = world.disk.sql.execute(
        "SELECT e.excerpt FROM deliveries AS d JOIN events AS e ON e.seq = d.event"
        " WHERE d.state = 'dead' AND instr(d.reason, ?)",
        (reason,),
    )
    return {found[0] for (excerpt,) in rows for found in _TOKEN.finditer(excerpt)}


def _to_matrix(world: PuppetWorld, link: Link) -> Iterator[str]:
    """What people on IRC said has come once, in order, and nothing else as somebody's words. Where the server keeps no
    history, what was said while the bridge was away may be missing."""
    home, libera = link.rooms
    posts = [each.act.lines for each in world.home.timeline if each.room == home and isinstance(each.act, Ours)]
    heard = [found[0] for lines in posts for line in lines for found in _TOKEN.finditer(line.text)]
    strangers = [each for each in world.ircd.spoken if each.channel == libera.id and each.who.pipe is None]
    said = [each.text for each in strangers]
    if echoes := [line for line in heard if line not in said and _TOKEN.fullmatch(line)]:
        yield f"{home}: heard what nobody there has said: {echoes}"
    if doubled := [line for line, number in Counter(heard).items() if number > 1]:
        yield f"{home}: doubled: {doubled}"
    for each in strangers:
        if each.text not in heard and (world.features.history or _is_acknowledged(world, each)):
            yield f"{home}: lost: {each.text}"
    if heard != [line for line in said if line in heard]:
        yield f"{home}: out of order: {heard}"


def _is_acknowledged(world: PuppetWorld, spoken: Spoken) -> bool:
    row = world.disk.sql.execute("SELECT id FROM events WHERE excerpt = ?", (spoken.text,)).fetchone()
    return row is not None and row[0] in world.acknowledged


def _by_whom(world: PuppetWorld) -> Iterator[str]:
    """A member's line is said by their own puppet, or by the bridge with their name; a guest's by the bridge alone."""
    for each in world.ircd.spoken:
        who = world.ircd.usernames.get(each.who.pipe.number, "") if each.who.pipe is not None else ""
        for found in _TOKEN.finditer(each.text):
            speaker = found[2]
            by_puppet = USERNAMES.get(who) == speaker and each.text == found[0]
            by_bridge = who == "duck" and _LATE.sub("", each.text).startswith(f"<{speaker}")
            if each.who.pipe is not None and not (by_puppet or by_bridge):
                yield f"said by the wrong one: {each.nick} ({who}): {each.text}"
            if each.who.pipe is None and speaker in (*ON_MATRIX, GUEST):
                yield f"said by a stranger: {each.text}"


def _banned(world: PuppetWorld) -> Iterator[str]:
    """Whose puppet has heard that the channel bans it is not carried with the mark, and is told, unless the process was
    killed before that."""
    for each in world.ircd.against_bans if world.banned is Banned.REFUSE else ():
        yield f"said though banned: {each.text}"
    told = [each.act for each in world.home.timeline if isinstance(each.act, Ours)]
    said = [line.text for act in told for line in act.lines]
    if world.starts == 1 and _dead(world, _BANNED) and not any(_BANNED in text for text in said):
        yield "nobody was told that they are banned"


def _connections(world: PuppetWorld) -> Iterator[str]:
    """No member has two at once, all together no more than allowed, and each waits for its turn."""
    theirs = [pipe for pipe in world.ircd.pipes if world.ircd.usernames.get(pipe.number, "duck") != "duck"]
    for pipe in theirs:
        user = world.ircd.usernames[pipe.number]
        if user not in USERNAMES:
            yield f"a connection of nobody: {user}"
        others = [each for each in theirs if each is not pipe and _overlaps(each, pipe)]
        if any(world.ircd.usernames[each.number] == user for each in others):
            yield f"two connections of {USERNAMES.get(user)} at once"
        if len(others) >= world.limit:
            yield f"{len(others) + 1} puppets at once, of {world.limit}"
    yield from _hurried(theirs, world.every)


def _overlaps(one: Pipe, other: Pipe) -> bool:
    """Whether `one` was there when `other` was made."""
    return one.run == other.run and one.began <= other.began < (one.dropped or other.began + 1)


def _hurried(pipes: Sequence[Pipe], every: float) -> Iterator[str]:
    for pipe in pipes:
        later = [each.began - pipe.began for each in pipes if each.run == pipe.run and each.number > pipe.number]
        if every and later and min(later) < every - _EXACT_S:
            yield f"connected {min(later):.2f} s after another"
