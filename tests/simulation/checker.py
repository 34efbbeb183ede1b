"""Checks that must hold once a simulated world has come to rest."""

from collections import Counter
from collections.abc import Iterator, Sequence

from bridge.model.event import Room
from bridge.rules.link import Link
from tests.simulation.matrix import Said
from tests.simulation.world import LINKS, World


def complaints(world: World) -> Iterator[str]:
    """What is wrong in `world`, a line each."""
    timelines = {"home": world.home.timeline, "libera": world.libera.lines}
    arrived = 0
    for link in LINKS:
        for source, target in _ways(link):
            said = [line for line in timelines[source.network] if line.room == source and not line.post]
            seen = [line for line in timelines[target.network] if line.room == target and line.post]
            yield from _carried(world, said, seen, f"{source} -> {target}")
            first = {words for line in seen for words in line.text.split("\n")}
            arrived += sum(first.issuperset(_shown(line)) for line in said)
    if world.unfinished():
        yield f"{world.unfinished()} deliveries are not done"
    done = world.disk.sql.execute("SELECT count(*) FROM deliveries").fetchone()[0]
    if done != arrived:
        yield f"the store knows of {done} deliveries, and {arrived} messages have arrived"


def _ways(link: Link) -> Iterator[tuple[Room, Room]]:
    first, second = link.rooms
    yield first, second
    yield second, first


def _carried(world: World, said: Sequence[Said], seen: Sequence[Said], where: str) -> Iterator[str]:
    owed = [line for line in said if _is_owed(world, line)]
    got = [words for line in seen for words in line.text.split("\n")]
    times = Counter(got)
    lost = [words for line in owed for words in _shown(line) if words not in times]
    if lost:
        yield f"{where}: lost {lost}"
    everything = [words for line in said for words in _shown(line)]
    if list(dict.fromkeys(got)) != [words for words in everything if words in times]:
        yield f"{where}: out of order, or never said: {list(dict.fromkeys(got))}"
    allowed = {line.text: 1 + world.doubts.get(line.post, 0) for line in seen if _may_double(world, line)}
    doubled = [words for words, count in times.items() if count > allowed.get(words, 1)]
    if doubled:
        yield f"{where}: doubled {doubled}"


def _is_owed(world: World, line: Said) -> bool:
    """Where IRC keeps no history, only what was acknowledged."""
    return line.room.network == "home" or world.history or line.id in world.libera.acknowledged


def _may_double(world: World, line: Said) -> bool:
    return line.room.network == "libera" and not world.history


def _shown(line: Said) -> list[str]:
    return [f"<{line.sender}> {part}" for part in line.text.split("\n")]
