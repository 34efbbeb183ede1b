"""Routing: which rooms get an event."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from bridge.model.answering import Answers
from bridge.model.event import BOTS, DESK, Edit, Event, Kind, Message, Reach, Room, Topic
from bridge.model.outbox import Known
from bridge.model.text import addressed, plain
from bridge.rules.case import Aside, Case, Refusal
from bridge.rules.joining import REQUEST, asks_to_join
from bridge.rules.link import Guests, Link, LinkedBot
from bridge.rules.talks import Way
from bridge.users import Measure, User


class Route(NamedTuple):
    """The rooms that get an event, and what else follows from it."""

    audience: tuple[Room, ...]
    aside: Aside = Aside.NONE


def ear(bot: str, scope: str) -> Room:
    """The room in which a bot hears. Its answer goes to those who heard the question: `scope` is the one room
    (`network/id`) of a guest's or private question, else `everywhere` of the room where it was asked."""
    return Room(BOTS, f"{bot}@{scope}")


def everywhere(room: Room) -> str:
    """The scope of all rooms in the link of `room`, as it is when the answer comes. No network's name begins with @."""
    return f"@{room}"


class Links:
    """All links of the config. A room is in at most one link."""

    def __init__(self, links: Iterable[Link]) -> None:
        self._links = {link.name: link for link in links}
        self._by_room = {room: link for link in self._links.values() for room in link.rooms}

    def __iter__(self) -> Iterator[Link]:
        return iter(self._links.values())

    @property
    def names(self) -> Iterable[str]:
        return self._links.keys()

    def named(self, name: str) -> Link | None:
        return self._links.get(name)

    def of(self, room: Room) -> Link | None:
        return self._by_room.get(room)

    def others(self, room: Room) -> tuple[Room, ...]:
        """The other rooms of the link that `room` is in."""
        link = self.of(room)
        return tuple(other for other in link.rooms if other != room) if link else ()

    def rooms(self, network: str) -> tuple[Room, ...]:
        """The configured rooms of a network, in the order of the config."""
        return tuple(room for room in self._by_room if room.network == network)

    def hearers(self, ear: Room) -> tuple[Room, ...]:
        """The rooms that get what a bot answers into its `ear`; none if the question's room is no longer in a link, or
        the ear is not one of ours."""
        scope = ear.id.partition("@")[2]
        try:
            room = Room.parse(scope.removeprefix("@"))
        except ValueError:
            return ()
        if not scope.startswith("@"):
            return (room,)
        link = self.of(room)
        return link.rooms if link else ()

    def bots(self, event: Event) -> Iterable[LinkedBot]:
        """The bots that may hear a message."""
        if event.private:
            return self.private_bots(event.room.network, member=True)
        link = self.of(event.room)
        return link.bots if link else ()

    def private_bots(self, network: str, *, member: bool) -> Iterable[LinkedBot]:
        """The bots of the links that `network` is part of, each once; for guests, without links that ignore them."""
        links = (link for link in self._links.values() if member or link.rules.guests is not Guests.IGNORE)
        here = (link for link in links if any(room.network == network for room in link.rooms))
        return {bot.key: bot for link in here for bot in link.bots}.values()


Commands = Callable[[str, User | None], bool]
"""Whether a line that a user (None: a guest) says in private is a command to the desk."""


Listens = Callable[[str, Event], bool]
"""Whether a bot, by its key, listens to who says something without calling it: they talk with each other."""


def listens_to_nobody(_bot: str, _event: Event) -> bool:
    """Bots have to be called each time."""
    return False


def no_commands(_line: str, _user: User | None) -> bool:
    """There is no desk."""
    return False


def route(
    case: Case,
    refusal: Refusal | None,
    links: Links,
    commands: Commands = no_commands,
    listens: Listens = listens_to_nobody,
    editable: Collection[str] = (),
) -> Route:
    """Who gets the event; if it is refused but still `heard`, only the bots that it asks. `editable`: the networks
    where people see that a message was edited as if it had always been so."""
    event, carried = case.event, refusal is None
    if event.room.network == BOTS:
        return Route(_hearers_of_a_bot(case, links, editable))
    if case.way is not None:
        return Route(_along(case.way, case) if carried else ())
    if refusal is not None and not refusal.heard:
        return Route((), Aside.WHISPER if refusal.secret and _is_for_the_desk(case) else Aside.NONE)
    if case.target is not None:
        return Route(_where_it_went(case.target, event) if carried else ())
    if event.private:
        if _may_ask(event) and commands(plain(event.text), case.user):
            return Route((ear(DESK, str(event.room)),))
        return Route(_private_audience(event, links, carried=carried))
    if case.link is None:
        return Route(())
    if isinstance(event.body, Topic):
        return Route(tuple(room for room in links.others(event.room) if room in case.link.topics_to))
    scope = everywhere(event.room) if carried else str(event.room)
    asked = [bot for bot in case.link.bots if _asks(event, bot)]
    hearing = [bot for bot in case.link.bots if bot in asked or (_may_ask(event) and _hears(bot, event, listens))]
    ears = tuple(ear(bot.key, scope) for bot in hearing)
    if commands(REQUEST, case.user) and _wants_in(event, asked):
        ears = (ear(DESK, str(Room(event.room.network, event.sender.address))),)
    return Route((*links.others(event.room), *ears) if carried else ears)


def _along(way: Way, case: Case) -> tuple[Room, ...]:
    """Where an event of a talk goes: the other room, and nowhere else; no bot hears it."""
    if case.target is not None:
        return tuple(room for room in _where_it_went(case.target, case.event) if room == way.room)
    return (way.room,) if way.room is not None else ()


def _hearers_of_a_bot(case: Case, links: Links, editable: Collection[str]) -> tuple[Room, ...]:
    """Who hears what a bot says; what it says about its own earlier words goes where these went."""
    event = case.event
    if event.target is not None:
        return _where_it_went(case.target, event) if case.target is not None else ()
    rooms, reach = links.hearers(event.room), event.body.reach if isinstance(event.body, Message) else Reach.ALL
    if reach is Reach.ALL:
        return rooms
    return tuple(room for room in rooms if (room.network in editable) is (reach is Reach.EDITABLE))


def asks(event: Event, names: Iterable[str], answers: Answers) -> bool:
    """Whether `event` is a question for a bot that listens to `names`."""
    if answers is Answers.NEVER or not _may_ask(event):
        return False
    called = isinstance(event.body, Message) and event.body.called is not None
    if event.private or answers is Answers.ALWAYS or called:
        return True
    return addressed(plain(event.text), names) is not None


def _asks(event: Event, bot: LinkedBot) -> bool:
    """Whether `event` is a question for `bot`, and for no other alone."""
    other = isinstance(event.body, Message) and event.body.bot not in ("", bot.key)
    return not other and asks(event, bot.names, bot.answers)


def meant(event: Event, bots: Iterable[LinkedBot], replied: Known | None) -> str:
    """The key of the one of `bots` that a message calls by name, or else by a reply to its words; '' if none in
    particular. Of names that begin alike, the longest counts."""
    bots = [*bots]
    rests = ((addressed(plain(event.text), (name,)), bot.key) for bot in bots for name in bot.names)
    named = [(len(rest), key) for rest, key in rests if rest is not None]
    if named:
        return min(named)[1]
    said_by = replied.source.room.id.partition("@")[0] if replied is not None and is_a_bots(replied) else ""
    return said_by if any(bot.key == said_by for bot in bots) else ""


def is_a_bots(said: Known) -> bool:
    """Whether a bot said it."""
    return said.source.room.network == BOTS


def is_question(case: Case, listens: Listens = listens_to_nobody) -> bool:
    """Whether a message is for a bot, and not only heard by one."""
    if case.event.private or case.link is None:
        return True
    return any(_asks(case.event, bot) or listens(bot.key, case.event) for bot in case.link.bots)


def _hears(bot: LinkedBot, event: Event, listens: Listens) -> bool:
    return bot.hears_all or listens(bot.key, event)


def _may_ask(event: Event) -> bool:
    """Notices and messages of other bots are never answered, so that no two programs talk to each other for ever."""
    return isinstance(event.body, Message) and event.body.kind is not Kind.NOTICE and not event.sender.bot


def _is_for_the_desk(case: Case) -> bool:
    """Whether a line that may hold a password goes to the desk: private, no notice, from no bot and nobody banned."""
    banned = case.sanction is not None and case.sanction.measure is Measure.BAN
    return case.event.private and not banned and _may_ask(case.event)


def _where_it_went(target: Known, event: Event) -> tuple[Room, ...]:
    """The rooms where `target` is, without that of `event`: events about it go there, even if the link has changed. Of
    bots, only edits are heard: they change a question that still waits."""
    bots = isinstance(event.body, Edit)
    return tuple(room for room in dict.fromkeys(target.rooms) if room != event.room and (bots or room.network != BOTS))


def _wants_in(event: Event, asked: Iterable[LinkedBot]) -> bool:
    """Whether a guest asks one of the bots in a room to become a member. The desk answers it, and privately."""
    called = event.body.called if isinstance(event.body, Message) else None
    names = (*filter(None, [called]), *(name for bot in asked for name in bot.names))
    return bool(names) and asks_to_join(plain(event.text), names)


def _private_audience(event: Event, links: Links, *, carried: bool) -> tuple[Room, ...]:
    """The bots: private conversations are not carried. `carried`: the event was not refused."""
    bots = links.private_bots(event.room.network, member=carried)
    return tuple(ear(bot.key, str(event.room)) for bot in bots if _asks(event, bot))
