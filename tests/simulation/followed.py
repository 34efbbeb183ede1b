"""Follows the links that came to IRC, as the HTTP server does: what each opens, when, and whether that is right."""

import math
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from bridge.http import links
from bridge.model.event import FOREVER, Edit, Event, Message, Redaction
from bridge.model.people import Sender
from bridge.model.text import plain
from bridge.store import Commit
from bridge.store.rename import rename
from tests.simulation.reader import View
from tests.simulation.speech import MOST_LINES, Ours, Said, links_in, name_of
from tests.simulation.store import opened
from tests.simulation.world import GUEST, GUEST_LINKS, World

_AGES = 50 * 365 * 86400.0
"""Seconds after which a link for ever still works."""
_Link = tuple[str, str]
"""Its place, and its token."""


@dataclass(slots=True)
class _Spoken:
    """A message: `versions` as they were said, and whether it was removed in the end."""

    said: Said
    versions: list[Message | Edit] = field(default_factory=list)
    removed: bool = False

    @property
    def sources(self) -> list[str]:
        """What its links have to open: its files and, if that is too long for lines, its text."""
        body = self.versions[-1]
        files, text = [each.source for each in body.media], plain(body.text)
        return [*files, text] if text.count("\n") >= MOST_LINES else files

    @property
    def ever(self) -> set[str]:
        """The files that it has ever had, and its text."""
        return {each.source for body in self.versions for each in body.media} | {plain(self.versions[-1].text)}


def unfollowable(world: World, source: Sequence[Said], target: Sequence[Said], view: View) -> Iterator[str]:
    """What is wrong with the links in the room of `target`, as its server shows it in `view`, to what was said in the
    room of `source`."""
    spoken, came = _spoken(source), _links(target)
    sql = world.disk.sql
    for name, each in spoken.items():
        shown = links_in(view.shown(name))
        for at in _while_it_works(world, each):
            yield from (f"{name} {line}" for line in _wrong(world, sql, each, shown, came.get(name, []), at))
    if not math.isinf(world.last):
        at = world.ended + world.last + 2
        still = [one for some in came.values() for one in some if _opened(world, sql, one, at) is not None]
        yield from (f"opens although it has expired: {one}" for one in still)
    yield from _beyond_budget(world, spoken, target)
    yield from _after_all(world, spoken, came)


def _wrong(
    world: World, sql: sqlite3.Connection, spoken: _Spoken, shown: Sequence[_Link], came: Sequence[_Link], at: float
) -> Iterator[str]:
    """What is wrong at that time with the links to `spoken`: those that are `shown`, of all that `came`."""
    if spoken.removed:
        yield from (f"is removed, and {one} opens" for one in came if _opened(world, sql, one, at) is not None)
        return
    yield from (
        f"has {behind!r} behind {one}, which it never had"
        for one in came
        if (behind := _opened(world, sql, one, at)) not in (None, *spoken.ever)
    )
    found = [_opened(world, sql, one, at) for one in shown]
    is_guests = spoken.said.sender == GUEST
    if is_guests and world.rewinds:
        return  # who pays again may have nothing left
    revoked = {source for source, one in zip(found, shown, strict=True) if _handle(world, one) in world.revoked}
    yield from (f"opens {source!r}, which was revoked" for source in revoked if source is not None)
    kept = [source for source, one in zip(found, shown, strict=True) if _handle(world, one) not in world.revoked]
    wanted = spoken.sources
    if is_guests or len(kept) < len(shown):
        if not set(kept) <= set(wanted):
            yield f"opens {kept}, not some of {wanted} at {at}"
    elif kept != wanted:
        yield f"opens {kept}, not {wanted} at {at}"


def _while_it_works(world: World, spoken: _Spoken) -> Iterator[float]:
    """Times at which its links work."""
    yield spoken.said.time + min(world.last, _AGES) - 1
    if world.ended < spoken.said.time + world.last:
        yield world.ended


def _opened(world: World, sql: sqlite3.Connection, link: _Link, at: float) -> str | None:
    """What the link opens at that time: the source of a file, or a text."""
    place, token = link
    core = world.program.core(sql, lambda: at)
    try:
        name = links.checked(world.key, token, at, f"/{place}/")
    except (links.Forged, links.Expired):
        return None
    if place == "t":
        return core.text(name)
    hosted = core.file(name)
    return hosted.media.source if hosted is not None else None


def _handle(world: World, link: _Link) -> str:
    return links.handle_in(f"/{link[0]}/{link[1]}") or ""


def _beyond_budget(world: World, spoken: dict[str, _Spoken], target: Sequence[Said]) -> Iterator[str]:
    """Each start of the process gives a guest a budget anew."""
    came: dict[str, float] = {}
    for said in target:
        for name, shown in _shown(said):
            if name in spoken and spoken[name].said.sender == GUEST:
                came |= {_handle(world, link): said.time for link in links_in(shown)}
    if came:
        minutes = (max(came.values()) - min(each.said.time for each in spoken.values())) / 60
        if len(came) > GUEST_LINKS.burst * world.starts + GUEST_LINKS.per_minute * minutes:
            yield f"{len(came)} links to what a guest said, after {world.starts} starts, in {minutes} minutes"


def _after_all(world: World, spoken: dict[str, _Spoken], came: dict[str, list[_Link]]) -> Iterator[str]:
    """Later, in a copy of the store: what is kept outlives all that is forgotten there; if the network of the messages
    is renamed, links that are made anew open the same; and a removal still revokes."""
    now = world.ended
    live = {name: [one for one in some if _opened(world, world.disk.sql, one, now)] for name, some in came.items()}
    live = {name: some for name, some in live.items() if some and name in spoken}
    sql = opened(world.disk.sql.serialize())
    core = world.program.core(sql, lambda: now)
    while core.expire(now + 1):
        pass
    for name, some in live.items():
        yield from (f"{name}: {one} is forgotten" for one in some if _opened(world, sql, one, now) is None)
    sql.execute("BEGIN")
    rename(sql, "home", "house")
    sql.execute("COMMIT")
    for name in live:
        event = _renamed(spoken[name])
        files = {each.source: each for each in spoken[name].versions[-1].media}
        alive = {_opened(world, sql, one, now) for one in live[name]}
        for file in (file for source, file in files.items() if source in alive):
            (again,) = links_in(world.link_to(event, replace(file, until=FOREVER)))
            if _opened(world, sql, again, now) != file.source:
                yield f"{name}: a link that is made after the network was renamed does not open"
    core.acquire("house", "later")
    removals = (_removal(_renamed(spoken[name])) for name in live)
    core.commit("house", "later", Commit(None, None, events=tuple(removals)))
    for name, some in live.items():
        yield from (f"{name}: {one} opens after all" for one in some if _opened(world, sql, one, now) is not None)


def _renamed(spoken: _Spoken) -> Event:
    said = spoken.said
    room, last = replace(said.room, network="house"), spoken.versions[-1]
    sender = Sender("house", said.sender, said.sender)
    return Event(said.id, room, sender, said.time, Message(last.text, media=last.media))


def _removal(event: Event) -> Event:
    return replace(event, id=f"{event.id} removed", body=Redaction(event.key))


def _spoken(entries: Sequence[Said]) -> dict[str, _Spoken]:
    found: dict[str, _Spoken] = {}
    for said in entries:
        match said.act:
            case Message() as body:
                found[name_of(said.key)] = _Spoken(said, [body])
            case Edit(target=target) as body if name_of(target) in found:
                if not found[name_of(target)].removed:
                    found[name_of(target)].versions.append(body)
            case Redaction(target=target) if name_of(target) in found:
                found[name_of(target)].removed = True
    return found


def _links(entries: Sequence[Said]) -> dict[str, list[_Link]]:
    """All links that ever came, by the message."""
    found: dict[str, list[_Link]] = {}
    for said in entries:
        for name, shown in _shown(said):
            found.setdefault(name, []).extend(links_in(shown))
    return found


def _shown(said: Said) -> Iterator[tuple[str, str]]:
    """The words of messages that a post of ours shows."""
    if isinstance(said.act, Ours):
        yield from ((line.message, line.text) for line in said.act.lines)
        yield said.act.message, said.act.words
