"""What a ghost says of a post: the words, without what the bridge's own account needs to say whose they are."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.matrix.dialect.face import own_words
from bridge.matrix.dialect.lines import Mark, marked
from bridge.matrix.dialect.operations import PARTS, Amend, React, Say, decode, face_of
from bridge.matrix.dialect.place import Place
from bridge.matrix.dialect.profile import PROFILE
from bridge.matrix.dialect.render import render
from bridge.model.event import Edit, Event, EventKey, Kind, Media, Reaction, Room
from bridge.model.outbox import Attached, Delivery, Known, Owed, Post
from bridge.model.presentation import Banned, Ghosts, Presentation
from bridge.model.text import Span, Style, Text, words
from tests.events import irc, matrix, rebodied, said
from tests.strategies import with_runs

_ROOM, _FAR = Room("home", "#pond:hs"), Room("libera", "#pond")
_BOB = replace(irc("bob", "bob"), mask="bob!b@one.example")
_GHOSTS = Place(Presentation(ghosts=Ghosts.SPEAKERS))
_TEXTS = st.lists(
    st.builds(
        Span, with_runs(st.text(max_size=40)), st.integers(0, 63).map(Style), st.none() | st.just("https://a.b/")
    ),
    min_size=1,
    max_size=4,
).map(tuple)


def _owed(text: str | Text, number: int = 0, **more: Any) -> Owed:
    event = rebodied(said(_FAR, _BOB, "x", f"${number}"), text=words(text) if isinstance(text, str) else text)
    return _item(event, **more)


def _item(event: Event, *known: Known, **more: Any) -> Owed:
    return Owed(Delivery.of(event.key, _ROOM).id, _ROOM, event, {each.source: each for each in known}, **more)


def _says(post: Post) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the bridge says, and what a ghost does."""
    operation = decode(post.payload)
    assert isinstance(operation, Say | Amend)
    assert operation.face is not None
    return dict(operation.content), own_words(operation.content, operation.face)


@given(_TEXTS, st.booleans(), st.sampled_from(["bob", "<b>&amp;", "a: </strong>"]), st.sampled_from([0.0, 7200.0]))
@settings(max_examples=200)
def test_a_ghost_says_exactly_the_words_whatever_they_are(text: Text, profiles: bool, name: str, age: float) -> None:
    place = Place(replace(_GHOSTS.how, profiles=profiles))
    item = _owed(text, age=age, said=1e9)
    item = replace(item, event=replace(item.event, sender=replace(_BOB, name=name)))
    lines = [*marked(Mark(), text)]
    if not lines:
        return
    for post in render([item], place):
        _, ghosts = _says(post)
        shown, lines = lines[: ghosts[PARTS][0][1]], lines[ghosts[PARTS][0][1] :]
        assert ghosts["body"] == "\n".join(line.body for line in shown)
        if any(line.html is not None for line in shown):
            assert ghosts["formatted_body"] == "<br>".join(line.markup for line in shown)
        assert PROFILE not in ghosts
    assert lines == []


def test_the_marked_words_are_in_the_post_too_as_without_ghosts() -> None:
    with_, without = render([_owed("hi")], _GHOSTS), render([_owed("hi")], Place())
    assert _says(with_[0])[0] == dict(decode(without[0].payload).content)  # type: ignore[union-attr]
    assert face_of(without[0].payload) is None
    assert "face" not in without[0].payload


def test_words_in_one_post_each_lose_their_own_mark() -> None:
    (post,) = render([_owed("<bob> one", age=90.0), _owed("two\nthree", 1, age=70.0)], _GHOSTS)
    bridge, ghost = _says(post)
    assert ghost["body"] == "<bob> one\ntwo\nthree"
    assert bridge["body"].count("UTC") == 3


def test_a_ghost_does_not_say_at_one_time_what_was_said_minutes_apart() -> None:
    first, second = _owed("one", said=1000.0), _owed("two", 1, said=1100.0)
    assert [len(render([first, second], place)) for place in (_GHOSTS, Place())] == [2, 1]


def test_an_action_is_one_and_a_bare_one_is_the_bridges() -> None:
    (post,) = render([_item(said(_FAR, _BOB, "waves", kind=Kind.ACTION))], _GHOSTS)
    bridge, ghost = _says(post)
    assert (bridge["body"], ghost["body"], ghost["msgtype"]) == ("* bob waves", "waves", "m.emote")
    bare = rebodied(said(_FAR, _BOB, "x", kind=Kind.ACTION), text=())
    assert face_of(render([_item(bare)], _GHOSTS)[0].payload) is None


def test_a_file_keeps_its_own_type_and_its_caption() -> None:
    file = Attached("image", "a.png", 5, "image/png", "mxc://hs/a")
    (post,) = render([replace(_owed("look"), attached=file)], _GHOSTS)
    _, ghost = _says(post)
    assert (ghost["msgtype"], ghost["url"], ghost["body"]) == ("m.image", "mxc://hs/a", "look")


def test_edits_and_reactions_name_their_speaker() -> None:
    key = EventKey(_FAR, "$a")
    known = Known(key, _BOB, "old", ids=("$there",))
    edit = replace(said(_FAR, _BOB, "x", "$b"), body=Edit(key, words("new\nlines")))
    (post,) = render([_item(edit, known)], _GHOSTS)
    assert _says(post)[1]["body"] == "new\nlines"
    reaction = replace(edit, id="$c", body=Reaction(key, "👍"))
    operation = decode(render([_item(reaction, known)], _GHOSTS)[0].payload)
    assert isinstance(operation, React)
    assert operation.face is not None
    assert operation.face.name == "bob"


@pytest.mark.parametrize("private", [True, False])
def test_nobody_has_a_face_in_private_or_on_matrix(*, private: bool) -> None:
    sender = _BOB if private else matrix("carol")
    (post,) = render([_item(said(_FAR, sender, "hi", private=private))], _GHOSTS)
    assert face_of(post.payload) is None


def test_whether_the_bridge_may_speak_for_who_was_banned_is_frozen_with_the_words() -> None:
    how = Presentation(ghosts=Ghosts.SPEAKERS, banned=Banned.MARK)
    faces = [face_of(render([_owed("hi")], place)[0].payload) for place in (_GHOSTS, Place(how))]
    assert [face.or_mark for face in faces if face is not None] == [False, True]


def test_words_that_look_like_a_face_are_none() -> None:
    (post,) = render([_owed('"face":{"network":"x"}')], Place())
    assert face_of(post.payload) is None


def test_a_file_with_a_link_is_said_by_a_ghost_too() -> None:
    media = Media("image", "a.png", 5, "image/png", "", link="https://pond.example/a")
    item = _item(rebodied(said(_FAR, _BOB, "x"), text=(), media=(media,)))
    assert _says(render([item], _GHOSTS)[0])[1]["body"].endswith("https://pond.example/a")
