"""Edits as lines of IRC (bridge.irc.dialect.render)."""

import pytest

from bridge.irc.dialect.operations import Say
from bridge.irc.dialect.render import render
from bridge.model.event import Edit, EventKey, Kind
from bridge.model.text import Span, Style, words
from bridge.network import Needless
from tests.events import HOME
from tests.irc.rendering import BOB, PLACE, TARGET, known, operations, owed, said

LONG = (
    "The meeting is at nine o'clock in the big room on the second floor, and everybody who has a question is welcome."
)


def test_a_short_edit_is_a_substitution_as_people_write_it_by_hand() -> None:
    assert said(owed(Edit(TARGET, words("hello world")), context=[known("hello wrld")])) == ["<alice> s/wrld/world/"]


def test_of_a_longer_edit_the_changed_words_are_shown() -> None:
    new = words(LONG.replace("a question", "anything at all to ask, or to say about ponds"))
    assert said(owed(Edit(TARGET, new), context=[known(LONG)])) == [
        "<alice> (edited) …everybody who has anything at all to ask, or to say about ponds is welcome."
    ]
    more = Edit(TARGET, words(f"{LONG} There will be tea."))
    assert said(owed(more, context=[known(LONG)])) == ["<alice> (edited) …There will be tea."]


def test_an_edit_of_which_the_old_words_are_unknown_or_quite_different_is_shown_as_a_whole() -> None:
    edit = Edit(TARGET, (Span("new "), Span("words", Style.BOLD)))
    for context in ([], [known("")], [known("nothing in common")], [known("new word", ids=())]):
        assert said(owed(edit, context=context)) == ["<alice> (edited) new \x02words"]
    two = Edit(TARGET, words("one\ntwo"))
    assert said(owed(two)) == ["<alice> (edited) one", "<alice> two"]


@pytest.mark.parametrize("new", ["hello  wrld\n", "hello wrld\u200b", "", " \n\x02"])
def test_an_edit_that_changes_nothing_visible_is_not_shown(new: str) -> None:
    with pytest.raises(Needless):
        said(owed(Edit(TARGET, words(new)), context=[known("hello wrld")]))


def test_an_edit_that_makes_words_a_link_shows_the_link() -> None:
    edit = Edit(TARGET, (Span("see the "), Span("docs", link="https://example.org/docs")))
    context = [known("see the docs")]
    assert said(owed(edit, context=context)) == ["<alice> (edited) see the docs (https://example.org/docs)"]


def test_an_edit_of_an_action_or_a_notice_stays_one() -> None:
    action = owed(Edit(TARGET, words("waves twice"), Kind.ACTION), context=[known("waves twise")])
    assert operations(action) == [Say("PRIVMSG", "#pond", "* alice s/twise/twice/", 8)]
    notice = owed(Edit(TARGET, words("beep"), Kind.NOTICE), context=[known("bep")])
    assert operations(notice) == [Say("NOTICE", "#pond", "<alice> s/bep/beep/", 8)]


def test_the_words_of_a_spoiler_are_hidden_in_an_edit_and_not_told_as_what_was_replaced() -> None:
    edit = Edit(TARGET, (Span("it was "), Span("the gardener", Style.SPOILER)))
    for before in ("it was [spoiler]", "it was the butler"):
        try:
            (line,) = said(owed(edit, context=[known(before)]))
        except Needless:
            continue
        assert "butler" not in line
        assert line == "<alice> (edited) it was ||\x0301,01the gardener\x0f||"


def test_several_edits_of_one_message_are_told_as_one_from_what_people_saw_to_the_newest() -> None:
    context = [known("one two three")]
    first = owed(Edit(TARGET, words("one too three")), 1, context=context)
    second = owed(Edit(TARGET, words("one too four")), 2, context=context)
    (post,) = render([first, second], PLACE)
    assert post.deliveries == ("d1", "d2")
    assert said([first, second]) == ["<alice> s/two three/too four/"]
    undone = owed(Edit(TARGET, words("one two three")), 2, context=context)
    with pytest.raises(Needless) as nothing:
        render([first, undone], PLACE)
    assert nothing.value.deliveries == ("d1", "d2")


def test_edits_of_different_messages_or_people_are_told_apart() -> None:
    other = EventKey(HOME, "$other")
    items = [
        owed(Edit(TARGET, words("new")), 1),
        owed(Edit(other, words("newer")), 2),
        owed(Edit(TARGET, words("newest")), 3),
        owed(Edit(TARGET, words("mine")), 4, sender=BOB),
    ]
    assert [post.deliveries for post in render(items, PLACE)] == [("d1", "d3"), ("d2",), ("d4",)]
    assert said(items) == ["<alice> (edited) newest", "<alice> (edited) newer", "<bob> (edited) mine"]


def test_an_edit_of_a_message_that_was_removed_is_not_shown() -> None:
    with pytest.raises(Needless):
        operations(owed(Edit(TARGET, words("I was here")), context=[known("", removed=True)]))
