"""Whatever happens becomes lines of IRC that are safe (bridge.irc.dialect.render)."""

import re
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.irc.dialect.formatting import stripped
from bridge.irc.dialect.operations import Moderate, Operation, Paste, React, Redact, Say, SetTopic, decode
from bridge.irc.dialect.place import Limits, Place
from bridge.irc.dialect.render import render
from bridge.irc.wire.line import compose
from bridge.model.event import (
    Act,
    Body,
    Change,
    Edit,
    Event,
    EventKey,
    Kind,
    Membership,
    Mentioned,
    Message,
    Moderation,
    Reaction,
    Redaction,
    Topic,
)
from bridge.model.outbox import Known, Owed, Post
from bridge.model.people import Sender
from bridge.model.presentation import QUOTATION, Presentation, Reactions
from bridge.model.text import Span, Style, shown_name
from bridge.network import Needless, PermanentError
from tests.events import HOME, LIBERA
from tests.strategies import with_runs

_MANY = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
_ANY = with_runs(
    st.text(max_size=80) | st.sampled_from(["bob", "alice", "👍", "\x0304,05x\x02", "a\r\nQUIT", "||", "s/a/b/"])
)
_NAMES = (st.sampled_from(["alice", "bob", "Bob_", "🦆" * 64, ",5", "x y z"]) | _ANY).map(lambda n: shown_name(n, "?"))
_SENDERS = st.builds(
    Sender,
    st.sampled_from(["home", "libera", "oftc", "bots"]),
    st.sampled_from(["@alice:hs", "bob", "@x:y"]),
    _NAMES,
    user=st.none() | st.just("alice"),
    note=st.sampled_from(["", "guest"]),
)
_KEYS = st.sampled_from([EventKey(HOME, f"${number}") for number in range(3)])
_LINKS, _MENTIONS = st.none() | st.just("https://x.y"), st.sampled_from(["", "@alice:hs"])
_TEXTS = st.lists(
    st.builds(
        Span, _ANY, st.integers(0, 63).map(Style), st.none() | st.just("https://x.y"), mention=st.just("") | _ANY
    ),
    max_size=3,
).map(tuple)
_BODIES: st.SearchStrategy[Body] = st.one_of(
    st.builds(Message, _TEXTS, st.sampled_from(Kind), reply_to=st.none() | _KEYS, thread=st.none() | _KEYS),
    st.builds(Edit, _KEYS, _TEXTS, st.sampled_from(Kind)),
    st.builds(Redaction, _KEYS, _ANY),
    st.builds(Reaction, _KEYS, _ANY, st.booleans()),
    st.builds(Membership, _SENDERS, st.sampled_from(Change), _ANY),
    st.builds(Topic, _ANY),
    st.builds(Moderation, st.sampled_from(Act), _SENDERS, _ANY, mirrored=st.booleans()),
)
_IDS = st.lists(st.sampled_from(["m1", "m2"]), max_size=2).map(tuple)
_KNOWN = st.builds(
    Known,
    _KEYS,
    st.none() | _SENDERS,
    _ANY,
    ids=_IDS,
    before=_ANY,
    last=st.booleans(),
    removed=st.booleans(),
    type=st.sampled_from(["message", "reaction"]),
)


@st.composite
def _owed(draw: st.DrawFn, number: int, context: dict[EventKey, Known]) -> Owed:
    mentioned = (Mentioned("@alice:hs", "alice", ()),)
    event = Event(f"$e{number}", HOME, draw(_SENDERS), 0.0, draw(_BODIES), mentioned=mentioned)
    event = replace(event, max_lines=draw(st.sampled_from([0, 2, 6])))
    also = tuple(f"d{number}+{each}" for each in range(draw(st.integers(0, 1))))
    return Owed(f"d{number}", LIBERA, event, context, 0.0, draw(st.sampled_from([0.0, 100.0])), also)


@st.composite
def _queues(draw: st.DrawFn) -> list[Owed]:
    context = {known.source: known for known in draw(st.lists(_KNOWN, max_size=3))}
    return [draw(_owed(number, context)) for number in range(draw(st.integers(1, 6)))]


_PLACES = st.builds(
    Place,
    st.builds(Limits, st.sampled_from([256, 512]), st.sampled_from([60, 112]), st.sampled_from([0, 50])),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([frozenset(), frozenset({"bob", "alice", "x"})]),
    st.sampled_from([lambda _: None, lambda _: "al"]),
)
_HOWS = st.builds(
    Presentation,
    st.sampled_from([QUOTATION, "> {words} | {name} ", "{name} "]),
    st.sampled_from(Reactions),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


def _rendered(owed: Sequence[Owed], place: Place, how: Presentation) -> list[Post]:
    """All posts of `owed`, as the relay gets them: what cannot or need not be shown is left out."""
    left, posts = [*owed], list[Post]()
    while left:
        try:
            some = render(left, place, how)
            done = {delivery for post in some for delivery in post.deliveries}
            posts += some
        except Needless as nothing:
            done = {*nothing.deliveries}
        except PermanentError:
            done = {*left[0].deliveries}
        assert not done.isdisjoint(left[0].deliveries)
        left = [item for item in left if done.isdisjoint(item.deliveries)]
    return posts


def _texts(operation: Operation) -> tuple[str, ...]:
    match operation:
        case Say(text=text):
            return (text,)
        case Paste(pieces=pieces):
            return pieces
        case React(key=key):
            return (key,)
        case Redact(reason=reason):
            return (reason,)
        case SetTopic(text=text):
            return (text,)
        case Moderate(reason=reason, words=words):
            return (reason, words)


@_MANY
@given(_queues(), _PLACES, _HOWS)
def test_every_line_fits_and_has_no_control_characters_but_those_of_formatting(
    owed: list[Owed], place: Place, how: Presentation
) -> None:
    for post in _rendered(owed, place, how):
        operation = decode(post.payload)
        for text in _texts(operation):
            shown = stripped(text) if isinstance(operation, Say) else text
            assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e]", shown)
        if isinstance(operation, Say):
            size = len(compose(operation.command, operation.target, operation.text))
            assert size + place.limits.prefix <= place.limits.line


@_MANY
@given(_queues(), _PLACES, _HOWS)
def test_every_line_begins_with_the_mark_of_its_speaker_or_is_a_notice(
    owed: list[Owed], place: Place, how: Presentation
) -> None:
    bodies = {delivery: item.event.body for item in owed for delivery in item.deliveries}
    for post in _rendered(owed, place, how):
        operation, body = decode(post.payload), bodies[post.deliveries[0]]
        if not isinstance(operation, Say):
            continue
        if isinstance(body, Message | Edit):
            mark = stripped(operation.text)
            assert re.match(r"(\[.*? UTC\] )?(<[^<>]*> |\* .)", mark)
            assert operation.head or operation.text.startswith(("* ", "["))
        else:
            assert operation.command == "NOTICE"


@_MANY
@given(_queues(), _PLACES, _HOWS)
def test_each_delivery_is_in_one_run_of_posts_with_ids_of_their_own(
    owed: list[Owed], place: Place, how: Presentation
) -> None:
    posts = _rendered(owed, place, how)
    assert len({post.id for post in posts}) == len(posts)
    groups = list(dict.fromkeys(post.deliveries for post in posts))
    runs = [post.deliveries for at, post in enumerate(posts) if at == 0 or posts[at - 1].deliveries != post.deliveries]
    assert runs == groups
    carried = [delivery for group in groups for delivery in group]
    assert len(carried) == len(set(carried))
    order = {delivery: at for at, delivery in enumerate(each for item in owed for each in item.deliveries)}
    for group in groups:
        assert [*group] == sorted(group, key=order.__getitem__)


@_MANY
@given(_queues(), _PLACES, _HOWS)
def test_what_people_do_without_words_takes_few_lines(owed: list[Owed], place: Place, how: Presentation) -> None:
    silent = [item for item in owed if not isinstance(item.event.body, Message | Edit)]
    if silent:
        assert len(_rendered(silent, place, how)) <= 3 * len(silent)


@_MANY
@given(_queues(), _PLACES, _HOWS)
def test_the_same_is_rendered_again_after_a_crash(owed: list[Owed], place: Place, how: Presentation) -> None:
    assert _rendered(owed, place, how) == _rendered(owed, place, how)
