"""Routing: which rooms shall have an event."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bridge.model.event import BOTS, Event, Room
from bridge.rules.policy import Answers, Guests, Rules, asked


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot as a link knows it: its key in the config, the names that it listens to, and when it answers."""

    key: str
    names: tuple[str, ...]
    answers: Answers


@dataclass(frozen=True, slots=True)
class Link:
    """The rooms that are one conversation, who may speak, the bots, and what members and guests are told once a day."""

    name: str
    rooms: tuple[Room, ...]
    rules: Rules = field(default_factory=Rules)
    bots: tuple[Bot, ...] = ()
    welcome_member: str | None = None
    welcome_guest: str | None = None


def ear(bot: str, scope: str) -> Room:
    """The room by which a bot hears. Who hears the question hears the answer: `scope` is the one room (`network/id`),
    when the question is a guest's or private, else `everywhere` from the room where it was asked."""
    return Room(BOTS, f"{bot}@{scope}")


def everywhere(room: Room) -> str:
    """The scope of all rooms of the link that `room` is in when the answer comes. No network's name begins with @."""
    return f"@{room}"


class Links:
    """All links of the config. A room is in one link at most."""

    def __init__(self, links: Iterable[Link]) -> None:
        self._links = {link.name: link for link in links}
        self._by_room = {room: link for link in self._links.values() for room in link.rooms}

    def __iter__(self) -> Iterator[Link]:
        return iter(self._links.values())

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

    def audience(self, event: Event, *, carried: bool) -> tuple[Room, ...]:
        """The rooms that shall have `event`; of one that is not carried, the ears of the bots that it asks.

        A private conversation is carried nowhere; `carried` then says whether a member speaks.
        """
        if event.room.network == BOTS:
            return self.hearers(event.room)
        if event.private:
            return tuple(
                ear(bot.key, str(event.room))
                for bot in self._private_bots(event.room.network, member=carried)
                if _asked(bot, event)
            )
        link = self._by_room.get(event.room)
        if link is None:
            return ()
        scope = everywhere(event.room) if carried else str(event.room)
        ears = tuple(ear(bot.key, scope) for bot in link.bots if _asked(bot, event))
        return (*(room for room in link.rooms if room != event.room), *ears) if carried else ears

    def hearers(self, ear: Room) -> tuple[Room, ...]:
        """The rooms that hear what a bot answers into its `ear`; none where the room of the question is in no link any
        more, or the ear is not one of ours."""
        scope = ear.id.partition("@")[2]
        try:
            room = Room.parse(scope.removeprefix("@"))
        except ValueError:
            return ()
        if not scope.startswith("@"):
            return (room,)
        link = self.of(room)
        return link.rooms if link else ()

    def _private_bots(self, network: str, *, member: bool) -> Iterable[Bot]:
        """The bots of the links that `network` takes part in, each once; those that ignore guests are for members."""
        links = (link for link in self._links.values() if member or link.rules.guests is not Guests.IGNORE)
        here = (link for link in links if any(room.network == network for room in link.rooms))
        return {bot.key: bot for link in here for bot in link.bots}.values()


def _asked(bot: Bot, event: Event) -> bool:
    return asked(event, bot.names, bot.answers)
