"""The gate decides who a sender is, whether they may speak, and who hears it. Used by the relay and by `explain`."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Protocol

from bridge.lib.lru import LruDict
from bridge.model.casemap import Casemapping
from bridge.model.event import (
    BOTS,
    Change,
    Event,
    EventKey,
    Membership,
    Mentioned,
    Message,
    Moderation,
    Room,
)
from bridge.model.outbox import Known
from bridge.model.people import GUEST, Identity, Proof, Sender
from bridge.model.presentation import Ghosts
from bridge.model.talks import MatrixTalk, irc_talk, is_talk
from bridge.model.text import lookalike, plain
from bridge.rules import offers, policy, routing, talks
from bridge.rules.acquaintances import Acquaintances
from bridge.rules.case import Aside, Case, Refusal, Verdict
from bridge.rules.corrections import RECENT_S, correction
from bridge.rules.guests import GuestBudgets
from bridge.rules.joining import Door, next_step
from bridge.rules.link import Guests, Link, Rules
from bridge.rules.moderation import Moderators, weighed
from bridge.rules.routing import Commands, Links
from bridge.rules.speakers import Speakers
from bridge.users import Measure, User, Users

_CAUGHT = 1000
"""Most people of whom it is remembered when they last said what may hold a password."""
_NO_LINK = Rules()
_CLOSED = Door()
_NOTHING: Mapping[EventKey, Known] = MappingProxyType({})


class LoggedIn(Protocol):
    """Knows which user a sender has logged in as, with a password."""

    def user(self, sender: Sender) -> User | None: ...


class Gate:
    """Decides on events in two steps: `policy.judge` says whether one is refused, and `routing.route` who hears it.

    `commands` says whether a private line is a command to the desk, `listens` whether a bot listens to somebody who
    does not call it. `doors` are the IRC networks by name, `editable` the networks where an answer is seen to grow; a
    reload replaces both.
    """

    def __init__(
        self,
        users: Users,
        sessions: LoggedIn,
        links: Iterable[Link],
        *,
        clock: Callable[[], float],
        commands: Commands = routing.no_commands,
        listens: routing.Listens = routing.listens_to_nobody,
        doors: Mapping[str, Door] = MappingProxyType({}),
        editable: Collection[str] = (),
    ) -> None:
        self.doors = doors
        self.editable = editable
        self._with_services: set[str] = set()  # networks that have proved an account of somebody
        self._users = users
        self._sessions = sessions
        self._clock = clock
        self._commands = commands
        self._listens = listens
        self._budgets = GuestBudgets()
        self.speakers = Speakers()
        self._seen = Acquaintances()
        self._moderators = Moderators()
        self._caught: LruDict[tuple[Room, str], float] = LruDict(_CAUGHT)
        self.set_links(links)

    def set_links(self, links: Iterable[Link]) -> None:
        """Replace the links."""
        self.links = Links(links)
        self._names = {name for link in self.links for bot in link.bots for name in bot.names}
        self._bots = {lookalike(name) for name in self._names}
        self._has_puppets = any(link.presentation.puppets for link in self.links)

    def who(self, sender: Sender) -> User | None:
        """The user whom the network proves `sender` to be, else the one they have logged in as."""
        return self._users.identify(sender) or self._sessions.user(sender)

    def next_step(self, sender: Sender) -> str:
        """What `sender`, a guest, has to do next to become a member, as said to them."""
        door = self.doors.get(sender.network, _CLOSED)
        return next_step(sender, replace(door, services=door.services or self._has_services(sender.network)))

    def _has_services(self, network: str) -> bool:
        """Whether `network` has accounts: it has proved one, or a user has one there."""
        held = (one for user in self._users.list() for one in user.identities)
        return network in self._with_services or any(one.kind is Proof.IRC and one.network == network for one in held)

    def decide(self, event: Event, known: Mapping[EventKey, Known] = _NOTHING) -> Verdict:
        """Decide on `event`. `known` has what the store knows of the event that it is about. A guest's question to the
        bots is charged to their budget."""
        case = self._quietly(self._case(self._heeded(event, known), known))
        refusal = policy.judge(case, self._names, self._users.find) or self._of_a_correction(event)
        if refusal is None and isinstance(case.event.body, Moderation) and case.link is not None:
            refusal = self._moderators.refusal(case.link.name, self._clock())
        if refusal is not None and refusal.secret:
            self._caught[event.room, _address(event)] = self._clock()
        if refusal is None and isinstance(event.body, Message):
            self.speakers.spoke(event.room, case.event.sender, self._clock())
        if isinstance(body := case.event.body, Membership) and body.change is Change.RENAMED:
            self.speakers.renamed(event.room, body.person, body.detail)
        audience, aside = routing.route(case, refusal, self.links, self._commands, self._listens, self.editable)
        case = replace(case, event=self._offered(case, refusal, audience))
        return self._within_budget(Verdict(case, refusal, audience, aside))

    def _quietly(self, case: Case) -> Case:
        """`case` as quiet if nobody is told of it, but a ghost may come and go with it."""
        event, body = case.event, case.event.body
        ghosts = case.rules.ghosts
        if not isinstance(body, Membership) or ghosts is Ghosts.OFF or policy.is_told(case):
            return case
        is_on_irc = body.person.casemapping is not Casemapping.EXACT
        may_have_one = ghosts is Ghosts.ALL or self.speakers.may_have_ghost(event.room, body.person)
        if not (is_on_irc and may_have_one):
            return case
        return replace(case, event=replace(event, body=replace(body, quiet=True)))

    def _heeded(self, event: Event, known: Mapping[EventKey, Known]) -> Event:
        """`event` with the bot that it calls. A reply that does not begin with our name calls for an answer if it
        replies to a bot's own words, and only then. Clients mention the sender of what is replied to: most often us,
        who had carried somebody else's words."""
        body = event.body
        if not isinstance(body, Message) or event.room.network == BOTS or is_talk(event.room):
            return event
        called, replied = body.called, known.get(body.reply_to) if body.reply_to is not None else None
        if body.reply_to is not None and not called:
            called = "" if replied is not None and routing.is_a_bots(replied) else None
        bot = routing.meant(event, self.links.bots(event), replied)
        return replace(event, body=replace(body, called=called, bot=bot))

    def _offered(self, case: Case, refusal: Refusal | None, audience: Collection[Room]) -> Event:
        """The event with what is offered besides its words, if it is carried to people. A guest's budget is charged. A
        bot's answer is in the link of those who hear it; it costs nothing more than the question did."""
        event, now, is_answer = case.event, self._clock(), case.event.room.network == BOTS
        people = [room for room in audience if room.network != BOTS]
        link = next(map(self.links.of, people), None) if is_answer else case.link
        if refusal is not None or not people or link is None or event.private:
            return offers.without(event)
        event = offers.offered(event, link, now, most=event.max_lines)
        is_free = is_answer or case.is_member
        return event if is_free else offers.within_budget(event, lambda: self._budgets.spend_link(case, now))

    def _of_a_correction(self, event: Event) -> Refusal | None:
        """Refuse the correction (`s/quack1/quack2/`) of a line that was not carried as it may hold a password."""
        at = self._caught.peek((event.room, _address(event)))
        is_late = at is None or self._clock() - at > RECENT_S
        return None if is_late or correction(plain(event.text)) is None else policy.secret(event)

    def knows(self, sender: Sender) -> bool:
        """Whether `sender` is a user, and not muted or banned everywhere."""
        user = self.who(sender)
        return user is not None and self._users.sanctioned(sender, user, None, self._clock()) is None

    def may_have_puppet(self, user: str) -> bool:
        """Whether a user is there, wants a connection of their own on IRC, where a link has such, and is not banned
        everywhere."""
        found = self._users.find(user)
        if found is None or not found.puppet or not self._has_puppets:
            return False
        senders = (Sender(each.network, each.value, found.name, (each,)) for each in found.identities)
        sender = next(senders, Sender("", "", found.name))
        sanction = self._users.sanctioned(sender, found, None, self._clock())
        return sanction is None or sanction.measure is not Measure.BAN

    def is_other_user(self, nick: str, user: str) -> bool:
        """Whether `nick` is the name of another user than `user`."""
        found = self._users.find(nick)
        return found is not None and found.name != user

    def user_of(self, sender: Sender) -> str | None:
        """The name of the user whom the network proves `sender` to be, or who has logged in; None for a guest, and for
        who is banned everywhere."""
        user = self.who(sender)
        sanction = self._users.sanctioned(sender, user, None, self._clock())
        is_banned = sanction is not None and sanction.measure is Measure.BAN
        return None if user is None or is_banned else user.name

    @property
    def _grounds(self) -> talks.Grounds:
        return talks.Grounds(
            self._users, self.links, self._seen, on_irc=self.doors, may_have_puppet=self.may_have_puppet
        )

    def begins_talk(self, sender: Sender, line: str) -> tuple[MatrixTalk, Mentioned] | str | None:
        """The talk that a line in private begins, and with whom; why there can be none, in words; None if it is another
        line."""
        wanted = talks.beginning(line)
        return None if wanted is None else talks.begun(sender, self.who(sender), wanted, self._grounds)

    def has_talks(self, network: str, other: str) -> bool:
        """Whether members on `network` may talk in private with people on the IRC network `other`."""
        return network in talks.homes(other, self._grounds)

    def is_meant_for_us(self, line: str, event: Event, name: str) -> bool:
        """Whether `line`, which begins with the name of somebody with whom the sender of `event` talks, is for a bot,
        or for the desk."""
        is_command = self._commands(line, self.who(event.sender)) or self._commands(f"{name} x", None)
        return is_command or lookalike(name) in self._bots

    def greets(self, room: Room) -> Callable[[Sender], bool] | None:
        """Who of those in `room` before we came gets a ghost at once, though they have said nothing; None: nobody."""
        link = self.links.of(room)
        if link is None or link.rules.ghosts is not Ghosts.ALL:
            return None
        return lambda sender: self.carries(sender, room)

    def may_stay(self, person: Sender, room: Room) -> bool:
        """Whether `person`, who has a ghost in `room`, may still have one: they are no guest where guests are not
        carried, and not banned."""
        link = self.links.of(room)
        if link is None:
            return True
        user = self._users.find(person.user) if person.user else None
        if not link.rules.is_member(user) and link.rules.guests is not Guests.RELAY:
            return False
        sanction = self._users.sanctioned(person, user, link.name, self._clock())
        return sanction is None or sanction.measure is not Measure.BAN

    def carries(self, sender: Sender, room: Room) -> bool:
        """Whether what `sender` says in `room` is carried, as far as the words do not matter. What others say need not
        be read in full."""
        link, user = self.links.of(room), self.who(sender)
        rules = link.rules if link else _NO_LINK
        if not rules.is_member(user) and (link is None or rules.guests is not Guests.RELAY):
            return False
        return self._users.sanctioned(sender, user, link.name if link else None, self._clock()) is None

    def _case(self, event: Event, known: Mapping[EventKey, Known]) -> Case:
        if event.room.network == BOTS:
            target = known.get(event.target) if event.target is not None else None
            return Case(replace(event, max_lines=self._answer_lines(event)), target=target)
        self._with_services |= {proof.network for proof in event.sender.proofs if proof.kind is Proof.IRC}
        link, rules = self.links.of(event.room), _rules(self.links.of(event.room))
        about = event.body.person if isinstance(event.body, Membership) else event.sender
        user = self.who(about)
        self._seen.heard(about, user)
        sanction = self._users.sanctioned(about, user, link.name if link else None, self._clock())
        target = known.get(event.target) if event.target is not None else None
        about, body = self._known(about, user, rules), event.body
        if user is not None and irc_talk(event.room) is not None:
            about = replace(about, note=about.note or talks.note(about, user))
        spoke = isinstance(body, Membership) and self.speakers.has_spoken(event.room, about, self._clock())
        if isinstance(body, Moderation):
            meant = self._users.find(body.person.user) if body.person.user else self._users.identify(body.person)
            body = weighed(link, user, body, meant, carries=self.carries(event.sender, event.room))
        if isinstance(body, Membership):
            carries = self.carries(event.sender, event.room)
            note = self._note(replace(about, name=body.detail), user, rules) if body.change is Change.RENAMED else ""
            # who kicks gives a reason
            body = replace(body, person=about, detail=body.detail if carries else "", note=note)
            sender = self._known(event.sender, self.who(event.sender), rules)
        else:
            sender = about
        way = talks.way(event, user, self._grounds)
        mentioned = self._mentioned(event) if way is None else tuple(filter(None, [way.to]))
        event = replace(event, sender=sender, body=body, max_lines=rules.max_lines(user), mentioned=mentioned)
        return Case(event, link, user, sanction, target, spoke, way)

    def _answer_lines(self, answer: Event) -> int:
        """Most lines of a bot's answer: as many as of members, in the link of those who hear it."""
        link = next(map(self.links.of, self.links.hearers(answer.room)), None)
        return _rules(link).member_lines

    def _known(self, sender: Sender, user: User | None, rules: Rules) -> Sender:
        """`sender`, with the name of their user and the note that shows."""
        return replace(sender, user=user.name if user else None, note=self._note(sender, user, rules))

    def _mentioned(self, event: Event) -> tuple[Mentioned, ...]:
        """The users among those whom a message mentions by their Matrix ids."""
        addresses = event.body.mentions if isinstance(event.body, Message) else ()
        people = (Sender(event.room.network, each, each, (Identity(Proof.MATRIX, "", each),)) for each in addresses)
        users = ((sender.address, self._users.identify(sender)) for sender in people)
        return tuple(Mentioned(address, user.name, tuple(user.identities)) for address, user in users if user)

    def _note(self, sender: Sender, user: User | None, rules: Rules) -> str:
        """The note shown behind a name, against impersonation: marks guests, and members who go by the name of another
        user or of a bot."""
        if user is None or not rules.is_member(user):
            return GUEST
        name = lookalike(sender.name)
        if name in self._bots and lookalike(user.name) != name:
            return sender.address if lookalike(sender.address) != name else user.name
        other = self._users.find(sender.name)
        return user.name if other is not None and other.name != user.name else ""

    def _within_budget(self, verdict: Verdict) -> Verdict:
        """`verdict`, without the bots if the guest's budget is spent."""
        asks = verdict.aside is Aside.WHISPER or any(room.network == BOTS for room in verdict.audience)
        case, now = verdict.case, self._clock()
        if case.is_member or not asks:
            return verdict
        if verdict.aside is not Aside.WHISPER and not routing.is_question(case, self._listens):
            is_paid, aside = self._budgets.spend_hearing(case, now), Aside.NONE
        else:
            is_paid = self._budgets.spend(case, verdict.aside, now)
            aside = Aside.SPENT if not is_paid and self._budgets.is_news(case, now) else Aside.NONE
        if is_paid:
            return verdict
        return replace(verdict, audience=tuple(room for room in verdict.audience if room.network != BOTS), aside=aside)


def _address(event: Event) -> str:
    return event.sender.casemapping.fold(event.sender.address)


def _rules(link: Link | None) -> Rules:
    return link.rules if link is not None else _NO_LINK


def asked_about(event: Event) -> EventKey | None:
    """The earlier event that the decision on `event` depends on; None if there is none."""
    body = event.body
    if isinstance(body, Message) and not body.called:
        return body.reply_to
    return event.target
