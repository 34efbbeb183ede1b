"""The policy: who may speak, and what is carried. Pure; each refusal has a reason."""

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime
from typing import assert_never

from bridge.model.accounting import Cause
from bridge.model.event import (
    BOTS,
    Change,
    Edit,
    Event,
    Kind,
    Membership,
    Message,
    Moderation,
    Origin,
    Reaction,
    Redaction,
    Topic,
)
from bridge.model.outbox import Known
from bridge.model.patterns import compared
from bridge.model.presentation import Memberships
from bridge.model.talks import matrix_talk
from bridge.model.text import plain
from bridge.rules.case import Case, Refusal, Told
from bridge.rules.link import Guests
from bridge.rules.passwords import holds_secret
from bridge.rules.talks import Way
from bridge.users import Measure, Role, Sanction

_UNPROVEN = Refusal(
    "sent while the bridge was away, and the network does not prove by whom", Told.NOTHING, Cause.UNPROVEN, heard=False
)
_UNKNOWN_TARGET = Refusal(
    "the message that it refers to is unknown to the bridge, or too old",
    Told.NOTHING,
    Cause.UNKNOWN_TARGET,
    heard=False,
)
_NOT_THE_AUTHOR = Refusal("only its author may edit a message", Told.NOTHING, Cause.NOT_ALLOWED, heard=False)
_NO_WAY_BACK = Refusal("a removal cannot be removed", Told.NOTHING, Cause.NOT_POSSIBLE, heard=False)
_NOT_A_MESSAGE = Refusal("only messages are edited", Told.NOTHING, Cause.NOT_POSSIBLE, heard=False)
_REMOVED = Refusal("the message was removed", Told.NOTHING, Cause.NOT_POSSIBLE, heard=False)
_EDITED_IN_PRIVATE = Refusal(
    "I do not read edits: please send it as a new message", Told.REASON, Cause.NOT_POSSIBLE, heard=False
)
_NO_REACTIONS = Refusal("reactions are not carried in this link", Told.NOTHING, Cause.NOT_WANTED, heard=False)
_COMES_OR_GOES = Refusal(
    "that they come or leave is not told in this link", Told.NOTHING, Cause.NOT_WANTED, heard=False
)
_MAY_NOT_REDACT = Refusal(
    "only its author, a moderator or an admin may remove a message", Told.NOTHING, Cause.NOT_ALLOWED, heard=False
)
_NO_MEMBER = (
    "Private messages are passed on between members only; you are a guest here, and nobody has read what you said."
)
_CAUSES = {Measure.MUTE: Cause.MUTED, Measure.BAN: Cause.BANNED}


def judge(
    case: Case, names: Collection[str] = (), is_user: Callable[[str], object] = lambda _: False
) -> Refusal | None:
    """Why the event is refused; None if it is carried to the rest of its link. `names` are those of the bots. `is_user`
    tells whether a word is the name of a user."""
    if case.event.room.network == BOTS:
        return None
    if case.way is not None:
        return _told_if_may_be(case.event, _of_a_talk(case, case.way, names, is_user))
    refusal = _of_anybody(case, names, is_user) or _of_a_stranger_to_its_target(case) or _of_the_link(case)
    if refusal is None and not case.is_member and not _is_moderated(case.event):
        refusal = _UNPROVEN if _is_unproven(case) else _of_a_guest(case)
    return _told_if_may_be(case.event, refusal)


def _told_if_may_be(event: Event, refusal: Refusal | None) -> Refusal | None:
    if refusal is not None and not _may_be_told(event, refusal):
        return replace(refusal, told=Told.NOTHING)
    return refusal


def _of_a_talk(case: Case, way: Way, names: Collection[str], is_user: Callable[[str], object]) -> Refusal | None:
    """Refuse what is said in private by a guest, to nobody who can be reached, or with what may be a password."""
    if holds_secret(plain(case.event.text), names, private=False, is_user=is_user):
        told = Told.EACH if case.is_member else Told.REASON
        return Refusal(
            "what you said looks like a password, and I did not pass it on", told, Cause.PASSWORD, heard=False
        )
    if (refusal := _of_a_sanction(case.sanction)) is not None:
        return refusal
    if not case.is_member:
        who = f"I speak for {way.owner} by a bridge. " if way.owner else ""
        return Refusal(f"{who}{_NO_MEMBER}", Told.REASON, Cause.GUEST, heard=False)
    if way.room is None:
        return Refusal(way.reason, Told.EACH, Cause.NOT_POSSIBLE, heard=False)
    return _of_a_stranger_to_its_target(case)


def is_removal(case: Case) -> bool:
    """Whether its author, or somebody who may moderate on its network, has removed the message that the event is about.
    What is kept of the message is erased then, also if the removal itself is refused: they are muted, or no member any
    more."""
    event, target = case.event, case.target
    if not isinstance(event.body, Redaction) or target is None or target.type == "redaction":
        return False
    return _is_author(event, target) or _is_moderated(event)


def _of_anybody(case: Case, names: Collection[str], is_user: Callable[[str], object]) -> Refusal | None:
    event, words = case.event, plain(case.event.text)
    called = event.body.called if isinstance(event.body, Message) else None
    if holds_secret(words, (*names, *filter(None, [called])), private=event.private, is_user=is_user):
        return secret(event)
    if (refusal := _of_a_sanction(case.sanction)) is not None:
        return refusal
    if case.rules.ignore:
        texts = compared(words)
        for pattern in case.rules.ignore:
            if pattern.fits(event.sender, texts):
                return Refusal(f"ignored by {pattern}", Told.NOTHING, Cause.IGNORED, heard=False)
    return None


def _of_a_sanction(sanction: Sanction | None) -> Refusal | None:
    if sanction is None:
        return None
    is_heard = sanction.measure is Measure.MUTE
    return Refusal(_spelled(sanction), Told.REASON, _CAUSES[sanction.measure], heard=is_heard)


def secret(event: Event) -> Refusal:
    """The refusal of `event` as it may hold a password."""
    told = Told.NOTHING if event.private else Told.ADVICE
    return Refusal("it may contain a password", told, Cause.PASSWORD, heard=False, secret=True)


def _of_a_stranger_to_its_target(case: Case) -> Refusal | None:
    """Refuse an event about an unknown event, an edit of anything but a message, of one that was removed, or by others
    than its author, and a removal by others than the author, a moderator or an admin."""
    if case.event.target is None:
        return None
    if case.event.private and isinstance(case.event.body, Edit) and case.way is None:
        return _EDITED_IN_PRIVATE
    if case.target is None:
        return _UNKNOWN_TARGET
    match case.event.body:
        case Redaction() if case.target.type == "redaction":  # nothing brings back what was removed
            return _NO_WAY_BACK
        case Edit() if case.target.type != "message":  # such as a line that tells of others, too, who came and left
            return _NOT_A_MESSAGE
        case Edit() if case.target.removed:
            return _REMOVED
        case Edit() if not _is_author(case.event, case.target):
            return _NOT_THE_AUTHOR
        case Redaction() if not (
            _is_author(case.event, case.target) or _may_moderate(case) or _is_moderated(case.event)
        ):
            return _MAY_NOT_REDACT
        case Edit() | Redaction() | Reaction() | Message() | Membership() | Topic() | Moderation():
            return None
        case _ as never:
            assert_never(never)


def _of_the_link(case: Case) -> Refusal | None:
    """Refuse what the link does not carry of anybody."""
    match case.event.body:
        case Reaction() if not case.rules.reactions:
            return _NO_REACTIONS
        case Membership(quiet=quiet) if not (quiet or is_told(case)):
            return _COMES_OR_GOES
        case _:
            return None


def is_told(case: Case) -> bool:
    """Whether people are told in words that somebody comes, goes or is renamed."""
    memberships, body = case.rules.memberships, case.event.body
    if isinstance(body, Membership) and body.change is Change.PRESENT:
        return False
    return memberships is Memberships.ALL or (memberships is Memberships.SPEAKERS and case.spoke)


def _is_moderated(event: Event) -> bool:
    """Whether the network vouches that the sender may remove what others say: they need not be a user here."""
    return isinstance(event.body, Moderation) or (isinstance(event.body, Redaction) and event.body.moderated)


def _is_author(event: Event, target: Known) -> bool:
    if (talk := matrix_talk(event.room)) is not None:  # of what is private, it is not kept who said it
        return target.source.room == event.room and talk.member == event.sender.address
    return target.who is not None and target.who.is_same_person(event.sender)


def _may_moderate(case: Case) -> bool:
    return case.user is not None and (case.user.role is Role.ADMIN or case.rules.is_moderator(case.user))


def _is_unproven(case: Case) -> bool:
    """Whether it was said while we were away, by a sender without proof, in a link that does not carry guests."""
    event = case.event
    return event.origin is Origin.REPLAYED and not event.sender.proofs and case.rules.guests is not Guests.RELAY


def _of_a_guest(case: Case) -> Refusal | None:
    match case.rules.guests:
        case Guests.RELAY:
            return None
        case Guests.IGNORE:
            return Refusal("guests are ignored in this link", Told.NOTHING, Cause.GUEST, heard=False)
        case Guests.DUCK_ONLY if case.user is None:
            return Refusal("not a member", Told.HINT, Cause.GUEST, heard=True)
        case Guests.DUCK_ONLY:
            return Refusal("not a member of this link", Told.REASON, Cause.GUEST, heard=True)


def _may_be_told(event: Event, refusal: Refusal) -> bool:
    """Whether the sender may be told of a refusal. Bots and notices get no answer, against endless loops, and nobody
    wants one to a reaction."""
    said = event.body
    if refusal.told is Told.ADVICE:
        return not isinstance(said, Membership)  # mostly they are gone
    if not (isinstance(said, Message) or (event.private and isinstance(said, Edit))):
        return False
    return said.kind is not Kind.NOTICE and not event.sender.bot


def _spelled(sanction: Sanction) -> str:
    what = {Measure.MUTE: "muted", Measure.BAN: "banned"}[sanction.measure]
    until = "" if sanction.until is None else f" until {datetime.fromtimestamp(sanction.until, UTC):%Y-%m-%d %H:%M} UTC"
    return f"{what}{until}" + (f": {sanction.reason}" if sanction.reason else "")
