"""The gate: who somebody is, whether they may speak, and who hears it. What the relay does, and `explain` shows."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from bridge.model.event import BOTS, DESK, Event, Kind, Message, Room
from bridge.model.people import Sender
from bridge.model.text import plain
from bridge.rules import policy
from bridge.rules.budget import Allowance, Budget
from bridge.rules.policy import Refusal, Rules
from bridge.rules.routing import Link, Links, ear
from bridge.users import Measure, User, Users


class LoggedIn(Protocol):
    """Who is somebody by a password that they gave."""

    def user(self, sender: Sender) -> User | None: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of an event. `event` is as it is carried; `audience` are the rooms that shall have it.

    `member` is whether `user` counts as one there. `whispered`: it is for the desk, and may not be stored.
    `spent`: a guest asked for more than their share, and does not know yet.
    """

    event: Event
    user: User | None
    member: bool
    link: Link | None
    refusal: Refusal | None
    audience: tuple[Room, ...]
    whispered: bool = False
    spent: bool = False


class Gate:
    """Holds the links, which may be others from one event to the next. `commands` are the first words of what is asked
    of the desk."""

    def __init__(
        self,
        users: Users,
        sessions: LoggedIn,
        links: Iterable[Link],
        *,
        clock: Callable[[], float],
        commands: Collection[str] = (),
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._clock = clock
        self._commands = commands
        self._guests: dict[str, tuple[Allowance, Budget]] = {}
        self._crowds: dict[str, tuple[Allowance, Budget]] = {}
        self.use(links)

    def use(self, links: Iterable[Link]) -> None:
        """From now on these are the links."""
        self.links = Links(links)
        self._names = {name for link in self.links for bot in link.bots for name in bot.names}

    def who(self, sender: Sender) -> User | None:
        """By what the network proves of them, else by the password that they gave."""
        return self._users.identify(sender) or self._sessions.user(sender)

    def decide(self, event: Event) -> Verdict:
        """What becomes of `event`. Asking the bots is counted against a guest."""
        link = self.links.of(event.room)
        if event.room.network == BOTS:
            return Verdict(
                event, None, member=True, link=None, refusal=None, audience=self.links.audience(event, carried=True)
            )
        rules = link.rules if link else Rules()
        user = self.who(event.sender)
        sanction = self._users.sanctioned(event.sender, user, link.name if link else None, self._clock())
        refusal = policy.judge(event, user, sanction, rules, self._names)
        verdict = Verdict(self._shown(event, user, rules), user, rules.is_member(user), link, refusal, ())
        if refusal is not None and not refusal.heard:
            banned = sanction is not None and sanction.measure is Measure.BAN
            whispered = refusal.secret and event.private and not banned and _may_ask(event)
            return self._within_budget(replace(verdict, whispered=whispered))
        return self._within_budget(replace(verdict, audience=self._audience(event, carried=refusal is None)))

    def _audience(self, event: Event, *, carried: bool) -> tuple[Room, ...]:
        if event.private and _may_ask(event) and _first_word(event) in self._commands:
            return (ear(DESK, str(event.room)),)
        return self.links.audience(event, carried=carried)

    def _within_budget(self, verdict: Verdict) -> Verdict:
        """Without the bots, where a guest has asked for more than their share."""
        asked = any(room.network == BOTS for room in verdict.audience) or verdict.whispered
        if verdict.member or not asked:
            return verdict
        sender, now = verdict.event.sender, self._clock()
        guest = (sender.network, sender.connection or sender.casemapping.fold(sender.address))
        own, crowd = self._budgets(verdict.link)
        # Logins are throttled by the desk; were they to count for all, whoever asks a lot would keep others from it
        all_may = verdict.whispered or crowd.has(sender.network, now)
        if own.has(guest, now) and all_may:
            own.spend(guest, now)
            if not verdict.whispered:
                crowd.spend(sender.network, now)
            return verdict
        audience = tuple(room for room in verdict.audience if room.network != BOTS)
        return replace(verdict, audience=audience, whispered=False, spent=own.news(guest, now))

    def _budgets(self, link: Link | None) -> tuple[Budget, Budget]:
        rules, name = (link.rules, link.name) if link else (Rules(), "")
        return _budget(self._guests, name, rules.per_guest), _budget(self._crowds, name, rules.per_link)

    def _shown(self, event: Message, user: User | None, rules: Rules) -> Message:
        """With a name that cannot be taken for somebody else's: guests are marked, and so is a member who is shown
        under another user's name."""
        name = event.sender.name
        if not rules.is_member(user):
            mark = "guest"
        elif user is not None and self._is_anothers(name, user):
            mark = user.name
        else:
            return event
        return replace(event, sender=replace(event.sender, name=f"{name} ({mark})"))

    def _is_anothers(self, name: str, user: User) -> bool:
        other = self._users.find(name)
        return other is not None and other.name != user.name


def _budget(budgets: dict[str, tuple[Allowance, Budget]], name: str, allowance: Allowance) -> Budget:
    """The budget of that name; a new one where the allowance has changed."""
    known = budgets.get(name)
    if known is None or known[0] != allowance:
        known = budgets[name] = (allowance, Budget(allowance))
    return known[1]


def _may_ask(event: Event) -> bool:
    """A notice and another bot's words are never answered, so that no two programs talk to each other for ever."""
    return event.kind is not Kind.NOTICE and not event.sender.bot


def _first_word(event: Event) -> str:
    words = plain(event.text).split(maxsplit=1)
    return words[0].lstrip("!/").lower() if words else ""
