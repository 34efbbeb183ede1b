"""Pictures and files on IRC: caption, kind, name, size and link in one line, however long the caption."""

from dataclasses import replace

import pytest

from bridge.model.event import Edit, Kind, Media, Message
from bridge.model.text import Span, Style, words
from bridge.network import Needless
from tests.irc.rendering import PLACE, TARGET, known, owed, said

LINK = "http://127.0.0.1:9191/m/" + "A" * 48
CAT = Media("image", "cat.png", 12_345, "image/png", "mxc://hs/cat", link=LINK)


def test_a_picture_is_its_caption_kind_name_size_and_link_in_one_line() -> None:
    caption = (Span("look", Style.BOLD),)
    assert said(owed(Message(caption, media=(CAT,)))) == [f"<alice> \x02look\x0f [image: cat.png, 12 KB] {LINK}"]
    assert said(owed(Message((), media=(CAT,)))) == [f"<alice> [image: cat.png, 12 KB] {LINK}"]
    voice = Media("voice", "", None, "audio/ogg", "mxc://hs/voice", 7.4)
    assert said(owed(Message((), media=(voice,)))) == ["<alice> [voice: 0:07]"]
    assert said(owed(Message((), media=(replace(voice, length=None),)))) == ["<alice> [voice]"]


def test_several_files_are_named_with_a_link_each() -> None:
    dog = replace(CAT, name="dog.png", size=None, link="")
    assert said(owed(Message(words("both"), media=(CAT, dog)))) == [
        f"<alice> both [image: cat.png, 12 KB] {LINK} [image: dog.png]"
    ]


def test_the_link_is_there_and_whole_however_long_the_caption_and_the_name_are() -> None:
    for caption in ("word " * 500, "line\n" * 50, "x" * 3000):
        for name in ("cat.png", "n" * 100):
            item = owed(Message(words(caption), media=(replace(CAT, name=name),)))
            limited = replace(item, event=replace(item.event, max_lines=3))
            linked = replace(limited, event=replace(limited.event, text_link="https://pond.social/t/" + "B" * 48))
            for lines in (said(item), said(limited), said(linked)):
                assert LINK in lines[-1].split(" ")
                assert sum(line.count("[image: ") for line in lines) == 1
            assert len(said(limited)) <= 5
            assert said(limited)[3].startswith("<alice> ... ")
            assert len(said(linked)) <= 4
            assert linked.event.text_link in said(linked)[2].split(" ")


def test_an_edit_of_a_caption_is_told_by_its_words_and_one_that_is_not_known_with_the_link() -> None:
    edit = Edit(TARGET, words("look at him"), media=(CAT,))
    before = "look at her [image: cat.png, 12 KB]"
    assert said(owed(edit, context=[known(before)])) == ["<alice> s/her/him/"]
    assert said(owed(edit)) == [f"<alice> (edited) look at him [image: cat.png, 12 KB] {LINK}"]
    assert PLACE.limits.line == 512


def test_an_edit_that_has_another_file_is_told_with_its_link() -> None:
    dog = replace(CAT, name="dog.png")
    for before in (
        "look [image: cat.png, 12 KB]",
        "look",
        "look [image: dog.png, 12 KB]",
        "look [file: dog.png, 12 KB]",
    ):
        edit = Edit(TARGET, words("look"), media=(dog,))
        assert said(owed(edit, context=[known(before)])) == [f"<alice> (edited) look [image: dog.png, 12 KB] {LINK}"]
    both = Edit(TARGET, words("look at them"), media=(CAT, dog))
    told = f"<alice> (edited) look at them [image: cat.png, 12 KB] {LINK} [image: dog.png, 12 KB] {LINK}"
    assert said(owed(both, context=[known("look at them [image: cat.png, 12 KB]")])) == [told]


def test_an_edit_without_a_link_that_nobody_can_see_is_not_told() -> None:
    edit = Edit(TARGET, words("look"), media=(replace(CAT, link=""),))
    with pytest.raises(Needless):
        said(owed(edit, context=[known("look [image: cat.png, 12 KB]")]))
    gone = Edit(TARGET, words("look at him"))
    assert said(owed(gone, context=[known("look at her [image: cat.png, 12 KB]")]))


def test_a_caption_that_is_added_or_removed_by_an_edit_is_told_with_the_file() -> None:
    shown = f"[image: cat.png, 12 KB] {LINK}"
    added = Edit(TARGET, words("look"), media=(CAT,))
    assert said(owed(added, context=[known("[image: cat.png, 12 KB]")])) == [f"<alice> (edited) look {shown}"]
    removed = Edit(TARGET, (), media=(CAT,))
    assert said(owed(removed, context=[known("look [image: cat.png, 12 KB]")])) == [f"<alice> (edited) {shown}"]
    assert said(owed(removed, context=[known("[image: cat.png, 12 KB]")])) == [f"<alice> (edited) {shown}"]


def test_a_caption_that_is_added_or_removed_is_told_though_there_are_no_links() -> None:
    cat = replace(CAT, link="")
    added, removed = Edit(TARGET, words("look"), media=(cat,)), Edit(TARGET, (), media=(cat,))
    assert said(owed(added, context=[known(cat.described)])) == [f"<alice> (edited) look {cat.described}"]
    told = said(owed(removed, context=[known(f"look {cat.described}")]))
    assert told == [f"<alice> (edited) {cat.described}"]
    with pytest.raises(Needless):
        said(owed(removed, context=[known(cat.described)]))


def test_the_file_of_a_caption_of_several_lines_has_one_of_its_own() -> None:
    shown = f"<alice> [image: cat.png, 12 KB] {LINK}"
    for last in (Span("> said he"), Span("def quack():\n    return 1", Style.MONO), Span("two\n\n "), Span("two ")):
        *first, end = said(owed(Message((Span("one\n"), last), media=(CAT, CAT))))
        assert end == f"{shown} [image: cat.png, 12 KB] {LINK}"
        assert first[0] == "<alice> one"
        assert not any("`" in line or "[image" in line for line in first)


def test_blanks_around_a_caption_make_no_gap_before_its_file() -> None:
    shown = f"[image: cat.png, 12 KB] {LINK}"
    for caption in ("look", "look\n", "look  \n \n"):
        assert said(owed(Message(words(caption), media=(CAT,)))) == [f"<alice> look {shown}"]
    for caption in (" ", "\n", "\u00a0\n\t"):
        assert said(owed(Message(words(caption), media=(CAT,)))) == [f"<alice> {shown}"]
        assert said(owed(Message(words(caption), Kind.ACTION, media=(CAT,)))) == [f"* alice {shown}"]
    bold = (Span("look", Style.BOLD), Span(" \n"))
    assert said(owed(Message(bold, media=(CAT,)))) == [f"<alice> \x02look\x0f {shown}"]
