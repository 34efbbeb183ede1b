"""What people did without words, as notices in one line: reactions and deletions.

Notices, because no bot answers a notice (RFC 2812 section 3.3.2).
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from bridge.irc.dialect.brief import clean, fitted, listed, shortened
from bridge.irc.dialect.names import Names
from bridge.irc.dialect.operations import Moderate, Operation, React, Redact, Say, SetTopic, Voice
from bridge.irc.dialect.place import Limits, Place
from bridge.irc.dialect.quotation import quoted_words
from bridge.irc.dialect.voices import voice_of
from bridge.model import moderating
from bridge.model.attribution import stamp
from bridge.model.event import EventKey, Moderation, Reaction, Redaction
from bridge.model.outbox import Known, Owed
from bridge.model.people import Proof
from bridge.model.presentation import Presentation, Reactions
from bridge.model.text import in_quotes, says_nothing, untabbed

_PEOPLE = 6
"""Most people who are named for one thing; the others are counted."""
_KEY = 24
"""Most characters of a reaction: an emoji, or a word."""
_SEPARATOR = re.compile(r"[\s,;\"\u2800]")
"""What a reaction has that could read like more than one, or like that of somebody else."""
_KEYS = 5
_WHY = 200
"""Most bytes of why somebody is kicked."""
_TAGS = 20
"""Most reactions that are shown by tags at once: each is a line, and what people say waits behind it."""
_GROUPS = 4
"""Most groups of people who reacted alike."""
_REASON = 120
"""Most characters of a reason."""
_SHOWN = ("message", "edit")
"""Types of bodies whose removal is told."""
_LEAST = 32
"""Bytes of a notice, however long the name of the room."""


def notice(first: Owed, text: str, limits: Limits, ending: str = "") -> Say:
    """One line that says `text` and `ending`, of which `text` is shortened if both are too long."""
    budget = max(limits.budget("NOTICE", first.room.id), _LEAST)
    said = fitted(stamp(first) + text, max(budget - len(ending.encode()), _LEAST // 2)) + ending
    return Say("NOTICE", first.room.id, fitted(said, budget))


def reacted(items: Sequence[Owed], names: Names, place: Place, how: Presentation) -> Iterator[Operation]:
    """Reactions to one message, and reactions taken back. Nothing if all is as before, or the message is gone."""
    known = items[0].known(items[0].event.target)
    if known is None or known.removed:
        return
    if how.reactions in (Reactions.WORDS, Reactions.BOTH) and (people := _people(items, names)):
        yield notice(items[0], people, place.limits, f" to{_what(known, names)}")
    if how.reactions in (Reactions.TAGS, Reactions.BOTH) and place.tags and known.ids:
        changed = ((key, more < 0, who) for who, theirs in _by_voice(items, how) for key, more in _balance(theirs))
        of, room = known.ids[-1], items[0].room.id
        yield from islice((React(room, of, key, removed, who) for key, removed, who in changed), _TAGS)


def deleted(items: Sequence[Owed], names: Names, place: Place, how: Presentation) -> Iterator[Operation]:
    """Messages that one person has removed, all of one author. Nothing if none of them was shown here."""
    shown = {key: known for item in items if (key := item.event.target) and (known := _shown(item, key))}
    if not shown:
        return
    first = items[0]
    reason = next((text for item in items if (text := _reason(item))), "")
    if place.redaction:
        for known in shown.values():
            yield from (Redact(first.room.id, id_, reason) for id_ in known.ids)
    if how.deletions:
        who = next(iter(shown.values())).who
        by = first.event.sender
        is_own = who is None or (who.network, who.address) == (by.network, by.address) or who.is_same_person(by)
        count = "a message" if len(shown) == 1 else f"{len(shown)} messages"
        of = "" if is_own or who is None else f" of {names.plain(who)}"
        said = f"{names.plain(by)} deleted {count}{of}{f': {names.guarded(reason)}' if reason else ''}"
        yield notice(first, said, place.limits)


def topic(channel: str, text: str, limits: Limits) -> SetTopic:
    """The topic in one line, cut to what the server keeps of it."""
    size = max(limits.budget("TOPIC", channel), _LEAST)
    text = clean(untabbed(text)).strip()
    return SetTopic(channel, fitted(text, min(size, limits.topic) if limits.topic else size))


def moderated(item: Owed, body: Moderation, names: Names, place: Place) -> Operation:
    """Somebody was kicked or banned on the other side: the same here if it is to be, and if they are of this network;
    else that in words."""
    said = notice(item, names.guarded(clean(moderating.told(item.event, body))), place.limits)
    if not moderating.is_done(item, body) or body.person.network != item.room.network:
        return said
    accounts = [each.value for each in body.person.proofs if each.kind is Proof.IRC]
    reason = fitted(clean(moderating.why(item.event, body)), _WHY)
    account = next(iter(accounts), "")
    return Moderate(body.act, item.room.id, account, body.person.address, body.key, reason, said.text)


def _people(items: Sequence[Owed], names: Names) -> str:
    """`alice and bob reacted 👍, carol ❤`; '' if all was taken back."""
    keys: dict[tuple[str, str], dict[str, None]] = {}
    called: dict[tuple[str, str], str] = {}
    for item in items:
        sender, body = item.event.sender, item.event.body
        if not isinstance(body, Reaction) or not (key := _key(body)):
            continue
        who = sender.network, sender.address
        called[who] = names.plain(sender)
        if body.removed:
            keys.get(who, {}).pop(key, None)
        else:
            keys.setdefault(who, {})[key] = None
    alike: dict[tuple[str, ...], list[str]] = {}
    for who, theirs in keys.items():
        if theirs:
            alike.setdefault(tuple(theirs), []).append(called[who])
    groups = [*alike.items()][:_GROUPS]
    others = sum(len(people) for people in [*alike.values()][_GROUPS:])
    told = [
        f"{listed(people, _PEOPLE)} {'' if at else 'reacted '}{names.guarded(_some(theirs))}"
        for at, (theirs, people) in enumerate(groups)
    ]
    return ", ".join([*told, *([f"{others} others something else"] if others else [])])


def _some(keys: Sequence[str]) -> str:
    shown = (in_quotes(key) if _SEPARATOR.search(key) else key for key in keys[:_KEYS])
    return " ".join(shown) + (f" and {len(keys) - _KEYS} more" if len(keys) > _KEYS else "")


def _by_voice(items: Sequence[Owed], how: Presentation) -> Iterable[tuple[Voice | None, Sequence[Owed]]]:
    """The reactions by who may react with a connection of their own; None: by us, for all others."""
    by: dict[Voice | None, list[Owed]] = {}
    for item in items:
        by.setdefault(voice_of(item, how), []).append(item)
    return by.items()


def _balance(items: Sequence[Owed]) -> Iterable[tuple[str, int]]:
    """How much more often each key was set than taken back, if it was: to the server, it is always one who reacts."""
    balance: Counter[str] = Counter()
    for item in items:
        if isinstance(body := item.event.body, Reaction) and (key := _key(body)):
            balance[key] += -1 if body.removed else 1
    return ((key, more) for key, more in balance.items() if more)


def _key(reaction: Reaction) -> str:
    key = shortened(reaction.key, _KEY)
    return "" if says_nothing(key) else key


def _what(known: Known, names: Names) -> str:
    if quoted := quoted_words(known, names):
        return f' "{quoted}"'
    return f" a message of {names.plain(known.who)}" if known.who is not None else " a message"


def _shown(item: Owed, target: EventKey) -> Known | None:
    """What is known of a removed message, if it was shown in the room."""
    known = item.known(target)
    return known if known is not None and known.ids and known.type in _SHOWN else None


def _reason(item: Owed) -> str:
    return shortened(item.event.body.reason, _REASON) if isinstance(item.event.body, Redaction) else ""
