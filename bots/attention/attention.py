"""Decides whether a bot answers what it hears in a room, so that it is pleasant company. Pure: `now` is handed in."""

from collections.abc import Callable, Mapping

from pydantic import JsonValue

from bots.attention import phrases
from bots.attention.decision import Act, Decision, Heard, Said, Why
from bots.attention.manners import DAY_S, HOUR_S, Manners
from bots.attention.minds import Minds
from bots.attention.phrases import Kind, Order
from bots.attention.place import Place, short
from bridge.model.answering import Answers

OLD_S = 300.0
"""Seconds after which a message is not answered any more: people have gone on."""


class Attention:
    """What one bot pays attention to. Ask `decide` about each message that it hears, in order; ask `may_send` when it
    has an answer; tell `answered` when that has been sent. `chance` gives random numbers from 0 to below 1.

    What it keeps in mind is bounded, and outlives a restart by `unsaved` and `restore`. Private conversations take no
    place of rooms. Times are seconds since the epoch.
    """

    def __init__(self, manners: Manners, chance: Callable[[], float]) -> None:
        self._manners = manners
        self._chance = chance
        self._minds = Minds(manners.per_person, manners.per_room)

    def exchange(self, manners: Manners) -> None:
        """Replace the manners, as after a reload of the config. What it keeps in mind stays."""
        self._manners = manners
        self._minds.exchange(manners.per_person, manners.per_room)

    def decide(self, heard: Heard, now: float) -> Decision:
        """What to do about `heard`, now. An answer is counted, whether or not it is given."""
        if heard.automatic:
            return Decision(Act.IGNORE, now, Why.AUTOMATIC)
        if now - heard.time > OLD_S:
            return Decision(Act.IGNORE, now, Why.OLD)
        place = self._place(heard)
        _note(heard, place, now)
        if short(heard.id) in place.asked:
            return Decision(Act.IGNORE, now, Why.TWICE)
        if self._manners.answers is Answers.NEVER:
            return self._silent(Why.NEVER, now)
        asked = self._is_asked(heard, place, now)
        order = phrases.order(heard.text, self._manners.names)
        if order is not None and (asked or order.named):
            decision = self._obey(order, heard, place, now)
            if decision is not None:
                return decision
        if asked:
            return self._answer(Decision(Act.ANSWER, now, asked=True), heard, place, now)
        if self._speaks_up() and not self._is_to_others(heard, place):
            return self._answer(Decision(Act.ANSWER, now), heard, place, now)
        if not self._manners.hears_all:
            return Decision(Act.IGNORE, now, Why.UNASKED)
        return Decision(Act.HEAR, now, self._objection(heard, place, now))

    def may_send(self, heard: Heard, decision: Decision, now: float) -> bool:
        """Whether what the bot wants to say about `heard` may still be said: it may have been told to be quiet while it
        was thinking. What a brain says that only heard it is counted here."""
        place = self._place(heard)
        if decision.act is Act.HEAR:
            return decision.may_speak and self._answer(decision, heard, place, now) is decision
        return decision.may_speak and (decision.act is Act.SAY or not _is_hushed(place, now))

    def answered(self, heard: Heard, decision: Decision, now: float) -> None:
        """What the bot said about `heard`, as `decision` and `may_send` allowed, was sent now."""
        place = self._place(heard)
        place.note_answered(short(heard.id), now)
        stays = decision.act is Act.ANSWER and decision.asked and not _is_hushed(place, now)
        if stays and self._manners.stay_s > 0:
            place.begin_talk(_asker(heard), now + min(self._manners.stay_s, HOUR_S))

    def withdraw(self, heard: Heard) -> None:
        """The answer that was decided could not even be begun: the same question may come again."""
        self._place(heard).asked.pop(short(heard.id))

    def hushed_until(self, room: str, link: str, now: float) -> float | None:
        """Until when the bot is told to be quiet in `room`; None if it may speak. For what it would say unasked."""
        place = self._minds.known(room, link)
        return place.hushed if place is not None and _is_hushed(place, now) else None

    def is_in_talk(self, room: str, link: str, who: str, now: float) -> bool:
        """Whether a talk with `who`, member or guest, is open in `room`: what they say there is heard."""
        place = self._minds.known(room, link)
        if place is None or not len(place.talks):  # as usual
            return False
        return any(place.is_in_talk(short(f"{kind} {who}"), now) for kind in ("member", "guest"))

    def unsaved(self) -> Mapping[str, JsonValue]:
        """What has changed since this was asked last, by name; None: forget it. A value has at most 16 KB as JSON."""
        return self._minds.unsaved()

    def restore(self, saved: Mapping[str, JsonValue]) -> None:
        """Keep in mind what `unsaved` gave before a restart. What makes no sense is left out."""
        self._minds.restore(saved)

    def _place(self, heard: Heard) -> Place:
        return self._minds.place(heard.room, heard.link, private=heard.private)

    def _obey(self, order: Order, heard: Heard, place: Place, now: float) -> Decision | None:
        """Do what a person tells the bot; None if that means nothing here, and the message is a question."""
        decides = heard.member and not heard.private
        if order.kind is Kind.WAKE:
            if not decides or not (_is_hushed(place, now) or place.breaker.is_on(now)):
                return None
            place.wake()
            return self._answer(Decision(Act.SAY, now, say=Said.WOKEN), heard, place, now)
        if decides and (heard.called or order.named or order.kind is Kind.HUSH):
            place.end_talks()
        else:
            place.end_talk(_asker(heard))
        if order.kind is Kind.LEAVE:
            return self._answer(Decision(Act.SAY, now, say=Said.LEFT), heard, place, now)
        if not decides:
            return self._silent(Why.LEFT, now)
        until = now + order.seconds
        decision = self._answer(Decision(Act.SAY, now, say=Said.HUSHED, until=until), heard, place, now)
        place.hush(until)
        return decision

    def _answer(self, decision: Decision, heard: Heard, place: Place, now: float) -> Decision:
        """`decision`, which is counted as an answer; or silence, if something is against it."""
        if (why := self._objection(heard, place, now)) is not None:
            return self._silent(why, now)
        place.breaker.note_answer(_asker(heard), heard.text, decision.came, member=heard.member)
        place.note_question(short(heard.id), now)
        self._minds.spend(_asker(heard), place, now)
        return decision

    def _objection(self, heard: Heard, place: Place, now: float) -> Why | None:
        """Why the bot must not say anything about `heard`; None if it may."""
        if _is_hushed(place, now):
            return Why.HUSHED
        if not heard.private and self._manners.is_quiet(now):
            return Why.QUIET_HOURS
        called = heard.called or heard.private
        if place.breaker.objects(_asker(heard), heard.text, now, member=heard.member, called=called):
            place.changed = True
            return Why.CIRCLE
        if not self._minds.person_has(_asker(heard), now):
            return Why.PERSON
        if not place.has_token(now, 0 if heard.member or heard.private else self._manners.for_members):
            return Why.ROOM
        return Why.BUSY if place.is_busy(now - OLD_S) else None

    def _silent(self, why: Why, now: float) -> Decision:
        return Decision(Act.HEAR if self._manners.hears_all else Act.IGNORE, now, why)

    def _is_asked(self, heard: Heard, place: Place, now: float) -> bool:
        if heard.other:
            return False
        if heard.private or heard.called:
            return True
        listens = self._manners.answers is Answers.ALWAYS or place.is_in_talk(_asker(heard), now)
        return listens and not self._is_to_others(heard, place)

    @staticmethod
    def _is_to_others(heard: Heard, place: Place) -> bool:
        return heard.elsewhere or heard.other or phrases.is_to_somebody(heard.text, place.speakers)

    def _speaks_up(self) -> bool:
        return self._manners.chatty > 0 and self._chance() < self._manners.chatty


def _note(heard: Heard, place: Place, now: float) -> None:
    """Who spoke; who calls another bot has left the talk with this one."""
    place.note_speaker(heard.name)
    if heard.other and place.is_in_talk(_asker(heard), now):
        place.end_talk(_asker(heard))


def _asker(heard: Heard) -> str:
    return short(f"member {heard.who}" if heard.member else f"guest {heard.who}")


def _is_hushed(place: Place, now: float) -> bool:
    return now < place.hushed <= now + DAY_S  # one that lasts longer is from before the clock was set back
