"""Our events to Matrix: renders what is owed to a room as posts that no homeserver finds too large."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import assert_never

from bridge.matrix.dialect import mentions
from bridge.matrix.dialect.captions import attached
from bridge.matrix.dialect.face import Face
from bridge.matrix.dialect.html import FORMAT
from bridge.matrix.dialect.lines import Line, Mark, encodable, marked, shares, size
from bridge.matrix.dialect.operations import (
    PARTS,
    Amend,
    Moderate,
    Move,
    Moves,
    Operation,
    React,
    Redact,
    Say,
    SetTopic,
    encode,
)
from bridge.matrix.dialect.place import Place
from bridge.matrix.dialect.profile import PROFILE, has_profile, profile
from bridge.model import moderating
from bridge.model.attribution import mark, spoken, stamp
from bridge.model.comings import by_person, net, steps, told
from bridge.model.event import (
    Change,
    Edit,
    Event,
    Kind,
    Membership,
    Message,
    Moderation,
    Reaction,
    Redaction,
    Topic,
    with_links,
)
from bridge.model.outbox import Delivery, Owed, Post
from bridge.model.people import Proof
from bridge.model.presentation import Banned, Ghosts
from bridge.model.text import plain, printable, visible
from bridge.network import Needless, PermanentError

_JOINED = 16 * 1024
"""Most bytes of a post of several deliveries, of which there are at most `_AT_ONCE`: no wall of text."""
_AT_ONCE = 20
_CROWD = 1000
"""Most memberships of one post: naming few of them, it stays short."""
_KEY = 100
"""Most characters of a reaction: clients show few."""
_REASON = 1000
_TOPIC = 4000
"""Most characters of a topic: with four bytes each it fits an event."""
_APART_S = 60.0
"""Most seconds between what a ghost says in one post: it stands at one time."""
_EVERYWHERE = Place()


@dataclass(frozen=True, slots=True)
class _Said:
    """A message, its lines, and the people it names."""

    item: Owed
    lines: Sequence[Line]
    users: tuple[str, ...] = ()


def render(owed: Sequence[Owed], place: Place = _EVERYWHERE) -> Sequence[Post]:
    """Posts for `owed`, in order, up to the first delivery that cannot be shown; if that is the head, raises
    PermanentError or Needless. Consecutive messages of one sender become one post, and so do memberships."""
    posts: list[Post] = []
    at = 0
    while at < len(owed):
        try:
            run, made = _first(owed[at : at + _CROWD], place)
        except (PermanentError, Needless):
            if not posts:
                raise
            break
        deliveries = tuple(delivery for item in run for delivery in item.deliveries)
        posts += (Post.of(run[0].room, deliveries, part, encode(one)) for part, one in enumerate(made))
        at += len(run)
    return posts


def _first(owed: Sequence[Owed], place: Place) -> tuple[Sequence[Owed], Sequence[Operation]]:
    """The first deliveries of `owed` that go together, and the operations for them."""
    head = owed[0]
    match head.event.body:
        case Message() as message:
            return _messages(owed, message, place)
        case Edit() as edit:
            return _edits(owed, edit, place)
        case Redaction(reason=reason) as redaction:
            part = _part(head, redaction)
            there = [Redact(target, part, printable(reason)[:_REASON]) for target in _targets(head, redaction)]
            return (head,), there
        case Reaction(key=key, removed=removed) as reaction:
            shown = encodable(printable(key)).strip()[:_KEY]
            if not shown:
                raise Needless
            return (head,), (React(_targets(head, reaction)[0], shown, removed, _face(head, place)),)
        case Membership():
            return _memberships(owed, place)
        case Topic():
            topics = [*takewhile(lambda item: isinstance(item.event.body, Topic), owed)]
            text = encodable(visible(plain(topics[-1].event.text)))[:_TOPIC]
            return topics, (SetTopic(text),)
        case Moderation() as act:
            return (head,), (_moderated(head, act),)
        case _ as never:
            assert_never(never)


def _edits(owed: Sequence[Owed], edit: Edit, place: Place) -> tuple[Sequence[Owed], Sequence[Operation]]:
    """The edits of one message at the head of `owed`: only the last of them is shown."""
    run, last = [owed[0]], edit
    for item in owed[1:]:
        body = item.event.body
        if not isinstance(body, Edit) or body.target != edit.target:
            break
        run.append(item)
        last = body
    return run, [*_edited(run[-1], last, place)]


def _memberships(owed: Sequence[Owed], place: Place) -> tuple[Sequence[Owed], Sequence[Operation]]:
    """The memberships at the head of `owed` in one line, without a profile. Raises Needless if all is as before."""
    run = [*takewhile(lambda item: isinstance(item.event.body, Membership), owed)]
    events = [item.event for item in run]
    happened = steps(events)
    moves = () if place.how.ghosts is Ghosts.OFF else tuple(_moves(events, place))
    if not happened and not any(move.face for move in moves):
        raise Needless(deliveries=[delivery for item in run for delivery in item.deliveries])
    content = notice(told(happened))
    return run, (Moves(moves, content) if any(move.face for move in moves) else Say(content),)


def _moderated(item: Owed, body: Moderation) -> Operation:
    """Somebody was kicked or banned on the other side: the same here if it is to be, else that in words."""
    content = notice(moderating.told(item.event, body))
    users = tuple(each.value for each in body.identities if each.kind is Proof.MATRIX)
    if not users or not moderating.is_done(item, body):
        return Say(content)
    reason = encodable(printable(moderating.why(item.event, body)))[:_REASON]
    return Moderate(body.act, users, reason, content)


def notice(text: str) -> dict[str, object]:
    """The content of a line about people, which mentions nobody."""
    return {"msgtype": "m.notice", "body": encodable(printable(text)), "m.mentions": {}}


def _moves(events: Sequence[Event], place: Place) -> Iterator[Move]:
    """What happened to each person, in words and for their ghost, which may come now for the first time. Of one without
    an account a new name is somebody else's face: the ghost leaves."""
    for theirs in by_person(events):
        step, first, last = net(theirs), theirs[0].body, theirs[-1].body
        assert isinstance(first, Membership)
        assert isinstance(last, Membership)
        if step is None:
            continue
        line = told(steps(theirs))
        if step.change in (Change.JOINED, Change.PRESENT):
            yield Move("came" if place.how.ghosts is Ghosts.ALL else "joined", line, Face.of(last.person))
            continue
        face = Face.of(first.person)
        if step.change is Change.RENAMED:
            new = Face.of(replace(last.person, name=last.detail, note=last.note))
            stays = face is not None and not face.owner and new is not None
            yield Move("renamed" if stays else "replaced", line, face, new.shown if new is not None else "")
        else:
            yield Move("left", line, face, reason=encodable(printable(last.detail))[:_REASON])


def _targets(item: Owed, body: Edit | Redaction | Reaction) -> tuple[str, ...]:
    """The ids of what `body` is about. Raises Needless if it is not there, or not any more."""
    known = item.known(body.target)
    ids = tuple(filter(None, known.ids)) if known is not None else ()
    if known is None or not ids or (known.removed and not isinstance(body, Redaction)):
        raise Needless
    return ids


def _part(item: Owed, body: Edit | Redaction) -> str:
    """The part (see `PARTS`) of the message that `body` is about."""
    known = item.known(body.target)
    return Delivery.of(known.source if known else body.target, item.room).id


# Messages


def _messages(owed: Sequence[Owed], message: Message, place: Place) -> tuple[Sequence[Owed], Sequence[Operation]]:
    """The first of `owed` and those that share its post, and what says them."""
    said = [_said(owed[0], message, place)]
    if not said[0].lines:
        raise PermanentError("the message has no words that Matrix can show")
    for item in owed[1:]:
        if not isinstance(item.event.body, Message) or not _alike(said, item.event.body, item):
            break
        if place.how.ghosts is not Ghosts.OFF and item.said - said[0].item.said > _APART_S:
            break
        more = _said(item, item.event.body, place)
        if not more.lines or sum(size(each.lines) for each in said) + size(more.lines) > _JOINED:
            break
        said.append(more)
    run = [each.item for each in said]
    return run, [*_says(said, message, place)]


def _alike(said: Sequence[_Said], message: Message, item: Owed) -> bool:
    """Whether `item` may share a post with those before it. A message that refers to another, or has a file, has a post
    of its own."""
    last, event = said[-1].item.event, item.event
    same = (last.sender, last.private, last.origin) == (event.sender, event.private, event.origin)
    return (
        same
        and isinstance(last.body, Message)
        and last.body.kind == message.kind
        and not (_relation(said[0].item, last.body) or _relation(item, message))
        and said[0].item.attached is None is item.attached
        and len(said) < _AT_ONCE
    )


def _said(item: Owed, message: Message, place: Place) -> _Said:
    event = item.event
    head = _head(item, place)
    text = with_links(message)
    if not text and message.kind is Kind.ACTION:  # a bare /me
        return _Said(item, (head.alone,))
    users: tuple[str, ...] = ()
    if event.sender.user is not None and has_profile(event) and not event.sender.bot:
        named = mentions.name(text, _who(event, place), event.sender.address)
        text, users = named.text, named.users
    return _Said(item, (*marked(head, text),), users)


def _who(event: Event, place: Place) -> Callable[[str], str | None]:
    """`place.who`, who also knows by their names elsewhere the users whom `event` mentions."""
    fold = event.sender.casemapping.fold
    users = {
        fold(each.address): identity.value
        for each in event.mentioned
        for identity in each.identities
        if identity.kind is Proof.MATRIX and place.who(identity.value)
    }
    return lambda called: place.who(called) or users.get(fold(called))


def _says(said: Sequence[_Said], message: Message, place: Place) -> Iterator[Say]:
    """What says them: one event, or several for one long message, the first of which has its file."""
    first = said[0].item
    lines = [line for each in said for line in each.lines]
    users = [*dict.fromkeys(user for each in said for user in each.users)][: mentions.MOST]
    for number, share in enumerate(shares(lines)):
        content = _content(first.event, message, share, place)
        whose = [[each.item.delivery, len(each.lines)] for each in said]
        content[PARTS] = whose if len(said) > 1 else [[first.delivery, len(share)]]
        if number == 0 and first.attached is not None:
            content |= attached(first.attached)
        if number == 0 and users:
            content["m.mentions"] = {"user_ids": users}
        if relation := _relation(first, message, is_first=number == 0):
            content["m.relates_to"] = relation
        yield Say(content, _face_of(said, share, place))


def _relation(item: Owed, message: Message, *, is_first: bool = True) -> dict[str, object]:
    """What the message belongs to (spec, "Rich replies" and "Threading"); empty if that is not known in the room. Of a
    long one only the first post is a reply, but all are in the thread."""
    ids = item.ids_of(message.reply_to)
    answered = item.known(message.reply_to) if ids else None
    thread = item.known(message.thread) if item.ids_of(message.thread) else None
    root = (thread.thread or thread.ids[0]) if thread else answered.thread if answered else ""
    reply = {"event_id": ids[0]} if ids and is_first else {}
    if root and (root not in ids or message.thread is not None):
        told: dict[str, object] = {"rel_type": "m.thread", "event_id": root, "is_falling_back": not reply}
        return told | {"m.in_reply_to": reply or {"event_id": root}}
    return {"m.in_reply_to": reply} if reply else {}


def _content(event: Event, message: Message, said: Sequence[Line], place: Place) -> dict[str, object]:
    """What `message`, or a post of it, is in an event."""
    content: dict[str, object] = {
        "msgtype": "m.notice" if message.kind is Kind.NOTICE else "m.text",
        "body": "\n".join(line.body for line in said),
        "m.mentions": {},  # also `@room` pings nobody with this
    }
    if event.private and message.kind is Kind.ACTION and not mark(event):
        content["msgtype"] = "m.emote"
    if any(line.html is not None for line in said):
        content["format"] = FORMAT
        content["formatted_body"] = "<br>".join(line.markup for line in said)
    if place.how.profiles and has_profile(event):
        content[PROFILE] = profile(event, place.picture(event.sender), fallback=_is_profiled(event, place))
    return content


def _is_profiled(event: Event, place: Place) -> bool:
    """Whether the name in the words is for clients that know no profiles. In an action it is part of the sentence."""
    kind = event.body.kind if isinstance(event.body, Message | Edit) else Kind.TEXT
    return place.how.profiles and has_profile(event) and kind is not Kind.ACTION


# Edits


def _edited(item: Owed, edit: Edit, place: Place) -> Iterator[Operation]:
    """What edits the posts of a message: each gets its share of the new words, one too many is removed, and what is too
    much for them is said behind them. A message that is not known there is said anew."""
    known = item.known(edit.target)
    if known is not None and known.removed:
        raise Needless
    ids = tuple(filter(None, known.ids)) if known is not None else ()
    if not ids:
        anew = spoken(edit)
        said = _said(item, anew, place)
        if not said.lines:
            raise PermanentError("the message has no words that Matrix can show")
        yield from _says((_Said(item, said.lines),), anew, place)
        return
    message, text = Message(edit.text, edit.kind), with_links(edit)
    head = Mark.of("", mark(item.event), hides=_is_profiled(item.event, place))
    lines = (head.alone,) if not text and edit.kind is Kind.ACTION else (*marked(head, text),)
    if not lines:
        raise PermanentError("the message has no words that Matrix can show")
    part = _part(item, edit)
    parts = [*shares(lines)]
    contents = [_content(item.event, message, share, place) | {PARTS: [[part, len(share)]]} for share in parts]
    face = _face(item, place) if text else None
    faces = [face and face.with_heads((head.who, head.html, len(share))) for share in parts]
    new = [*zip(contents, faces, strict=True)]
    yield from (Amend(target, part, *each) for target, each in zip(ids, new, strict=False))
    yield from (Redact(target, part) for target in ids[len(new) :])
    yield from (Say(*each) for each in new[len(ids) :])


# Faces


def _face(item: Owed, place: Place) -> Face | None:
    """Who says it, if they may have a ghost; None if the bridge's own account speaks."""
    event = item.event
    if place.how.ghosts is Ghosts.OFF or not mark(event):
        return None
    face = Face.of(event.sender)
    if face is None:
        return None
    acts = isinstance(event.body, Message | Edit) and event.body.kind is Kind.ACTION
    or_mark = place.how.banned is Banned.MARK
    return replace(face, at=round(item.said * 1000), late=bool(stamp(item)), acts=acts, or_mark=or_mark)


def _face_of(said: Sequence[_Said], share: Sequence[Line], place: Place) -> Face | None:
    """The face of who says the lines of `share`; None if there is nothing in them but the mark."""
    face = _face(said[0].item, place)
    if face is None or not all(with_links(_words_of(each.item)) for each in said):
        return None
    counts = [len(each.lines) for each in said] if len(said) > 1 else [len(share)]
    heads = (_head(each.item, place) for each in said)
    return face.with_heads(
        *((head.when + head.who, head.html, count) for head, count in zip(heads, counts, strict=True))
    )


def _head(item: Owed, place: Place) -> Mark:
    """What each line of a message begins with."""
    return Mark.of(stamp(item), mark(item.event), hides=_is_profiled(item.event, place))


def _words_of(item: Owed) -> Message:
    body = item.event.body
    assert isinstance(body, Message | Edit)
    return spoken(body)
