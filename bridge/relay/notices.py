"""Private notices to people: a welcome, why they are not carried, that everybody saw their password."""

from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from typing import assert_never

from bridge.lib.bucket import SlidingWindow
from bridge.lib.lru import LruSet
from bridge.model.event import BOTS, Body, Event, Kind, Message, Origin, Reaction, Room
from bridge.model.outbox import Addressed
from bridge.model.people import Proof, Sender
from bridge.model.talks import irc_talk
from bridge.model.text import words
from bridge.network import Unread
from bridge.relay.limits import TellDead
from bridge.rules.case import Refusal, Told
from bridge.rules.link import Link

_ROOM = "{room}"
"""Placeholder in a link's texts: the room where the person spoke."""
SPENT = "You have asked a lot. I answer you again in a minute."
BUSY = "Too many people are logging in right now. Try again in a minute."
CAUGHT = (
    "What you just said looked like a password. I did not carry it, but everybody in that room saw it. If it was one,"
    " change it: say `passwd OLD NEW` to me here. Log in here in private, never in a room."
)
_UNREAD = "I cannot read a message of {who}, so nobody elsewhere has seen it: it is encrypted, and {told}"
_LAST = "If more messages fail, I say nothing about them for an hour."
_AN_HOUR_S = 3600.0
_PEOPLE = 30
"""Most people to whom a network sends one kind of notice in an hour, so that a crowd of fresh nicks cannot use up its
budget. Each kind counts alone, so that hints to some do not keep others from being warned."""
REMEMBERED = 10_000
"""For how many people to remember what was done already."""


class Notices:
    """Words the notices to single people. The id of a daily one (UTC) is made of its kind, the day and the person, so
    that the outbox knows it after a restart; remembering it here only saves asking the outbox."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._once: LruSet[Hashable] = LruSet(REMEMBERED)
        self._told: dict[str, SlidingWindow] = {}

    def welcome(self, event: Event, link: Link) -> Addressed | None:
        """The daily welcome for a member who said `event`."""
        return self._daily(event, "welcome", lambda: link.welcome_member)

    def refusal(
        self, event: Event, link: Link | None, refusal: Refusal, next_step: Callable[[Sender], str] = lambda _: ""
    ) -> Addressed | None:
        """The notice to the sender of `event`, which was refused. `next_step` says how they become a member."""
        match refusal.told:
            case Told.NOTHING:
                return None
            case Told.HINT:
                return self._daily(event, "hint", lambda: _hint(event, link, next_step))
            case Told.REASON:
                where = f"In {link.name} I do not carry your messages: " if link else ""
                return self._daily(event, f"refused {refusal.reason}", lambda: f"{where}{refusal.reason}")
            case Told.EACH:
                return self.tell(event.room, f"unsaid {event.id}", refusal.reason)
            case Told.ADVICE:
                return self._tell(event, f"caught {event.room} {event.id}", CAUGHT)
            case _ as never:
                assert_never(never)

    def dead(self, event: Event, room: Room, reason: str, how: TellDead) -> Addressed | None:
        """The notice to a person on Matrix that `event` will never reach `room`: a reply or a reaction."""
        of_person = any(proof.kind is Proof.MATRIX for proof in event.sender.proofs)
        if how is TellDead.NOTHING or not of_person or room.network == BOTS:
            return None
        left = self._left(f"{event.room.network} dead", self._clock())
        if left == 0:
            return None
        said = f"not delivered to {_named(room)}: {reason}"
        if left > 1 and how is TellDead.REACTION:
            body: Body = Reaction(event.key, said)
        else:
            body = Message(words(f"{said}. {_LAST}" if left == 1 else said), Kind.NOTICE, reply_to=event.key)
        return Addressed(self._ours(f"dead {event.id} {room}", event.room, body, private=event.private), event.room)

    def face_removed(self, event: Event, room: Room, reason: str) -> Addressed | None:
        """The private notice to the sender of `event` that they may not speak in `room`: once a day for each reason."""
        if event.origin is Origin.OURS or room.network == BOTS:
            return None
        return self._daily(event, f"removed {room} {reason}", lambda: f"not delivered to {room}: {reason}")

    def spent(self, event: Event) -> Addressed | None:
        """The notice to a guest who asked for more than their share."""
        return self._tell(event, f"spent {event.room} {event.id}", SPENT)

    def busy(self, event: Event) -> Addressed | None:
        """The notice to a person whose login has to wait for others."""
        return self._tell(event, f"busy {event.room} {event.id}", BUSY)

    def _daily(self, event: Event, what: str, word: Callable[[], str | None]) -> Addressed | None:
        day = datetime.fromtimestamp(self._clock(), UTC).date().isoformat()
        address = event.sender.casemapping.fold(event.sender.address)
        key = (what, day, event.room.network, address)
        if key in self._once or not (said := word()):
            return None
        if (told := self._tell(event, f"{what} {day} {address}", said)) is None:
            return None
        self._once.add(key)
        return told

    def _tell(self, event: Event, id_: str, said: str) -> Addressed | None:
        """A private notice to the sender of `event`; None if too many got one in the last hour."""
        network = event.room.network
        if self._left(f"{network} {id_.partition(' ')[0]}", self._clock()) == 0:
            return None
        there = event.room if event.private else Room(network, event.sender.address)
        return self.tell(there, id_, said.replace(_ROOM, event.room.id))

    def unread(self, unread: Unread) -> Addressed | None:
        """The daily notice to a room, or a conversation, in which somebody cannot be read: one for each reason."""
        room, day = unread.room, datetime.fromtimestamp(self._clock(), UTC).date().isoformat()
        if not self._once.add(("unread", day, room, unread.reason)):
            return None
        said = _UNREAD.format(who=unread.who, told=unread.told.replace("{who}", unread.who))
        event = self._ours(
            f"unread {day} {unread.reason}", room, Message(words(said), Kind.NOTICE), private=unread.private
        )
        return Addressed(event, room)

    def tell(self, room: Room, id_: str, said: str) -> Addressed:
        """A private notice to the person in `room`, without any limit."""
        return Addressed(self._ours(id_, room, Message(words(said), Kind.NOTICE), private=True), room)

    def _ours(self, id_: str, room: Room, body: Body, *, private: bool) -> Event:
        us = Sender(room.network, "", "quackbridge", bot=True)
        return Event(id_, room, us, self._clock(), body, private, Origin.OURS)

    def _left(self, what: str, now: float) -> int:
        """How many people may still be told of `what` in this hour, this one included; counts this one."""
        told = self._told.setdefault(what, SlidingWindow(_PEOPLE, _AN_HOUR_S))
        left = told.left(now)
        if left > 0:
            told.spend(now)
        return left


def _named(room: Room) -> str:
    """How a person knows a room."""
    talk = irc_talk(room)
    return f"{talk.nick} on {talk.network}" if talk is not None else str(room)


def _hint(event: Event, link: Link | None, next_step: Callable[[Sender], str]) -> str | None:
    """The link's welcome for the guest who said `event`; the operator's own words stay as they are."""
    said = link.welcome_guest if link is not None else None
    return f"{said} {next_step(event.sender)}".rstrip() if said and link is not None and link.shows_the_way else said
