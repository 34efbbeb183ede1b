"""What is owed to Matrix rooms, as posts (bridge.matrix.dialect.render)."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.matrix.dialect.html import read
from bridge.matrix.dialect.operations import PARTS, Say, decode
from bridge.matrix.dialect.place import Place
from bridge.matrix.dialect.render import render as render_in
from bridge.model.event import Event, EventKey, Kind, Media, Message, Room
from bridge.model.outbox import Delivery, Known, Owed, Post
from bridge.model.people import Sender
from bridge.model.presentation import Presentation
from bridge.model.text import Span, Style, Text, plain
from bridge.network import PermanentError
from tests.strategies import with_runs

ROOM = Room("home", "#pond:hs")
PLAIN = Place(Presentation(profiles=False))
FAR = Room("far", "#pond")
BOB = Sender("far", "bob", "bob")
ANN = Sender("far", "ann", "ann")
LIMIT = 60_000
"""Bytes. An event has at most 65,536, and the homeserver adds ids, hashes and signatures."""

_TEXTS = st.lists(
    st.builds(Span, with_runs(st.text()), st.integers(0, 63).map(Style), st.none() | st.just("https://example.org/")),
    max_size=4,
).map(tuple)


def owed(
    text: str | Text,
    number: int = 0,
    *,
    who: Sender = BOB,
    kind: Kind = Kind.TEXT,
    private: bool = False,
    refers: tuple[str, ...] = (),
) -> Owed:
    spans = (Span(text),) if isinstance(text, str) else text
    target = EventKey(FAR, "$target")
    message = Message(spans, kind, reply_to=target if refers else None)
    event = Event(f"${number}", FAR, who, 0.0, message, private)
    context = {target: Known(target, ids=refers)} if refers else {}
    return Owed(Delivery.of(event.key, ROOM).id, ROOM, event, context)


def render(items: Sequence[Owed]) -> Sequence[Post]:
    """Without profiles: see tests/matrix/test_profile.py."""
    return render_in(items, PLAIN)


def contents(*items: Owed) -> list[dict[str, Any]]:
    return [_sent(post) for post in render(items)]


def _sent(post: Post) -> dict[str, Any]:
    """The content of its event, without our own notes."""
    operation = decode(post.payload)
    assert isinstance(operation, Say)
    content: dict[str, Any] = dict(operation.content)
    parts = content.pop(PARTS)
    assert [part for part, _ in parts] == [*post.deliveries]
    assert sum(number for _, number in parts) == content["body"].count("\n") + 1
    return content


def content(*items: Owed) -> dict[str, Any]:
    (only,) = contents(*items)
    return only


def test_a_message_has_the_senders_name_in_bold_and_mentions_nobody() -> None:
    assert content(owed("hello @room <b>x</b>")) == {
        "msgtype": "m.text",
        "body": "<bob> hello @room <b>x</b>",
        "format": "org.matrix.custom.html",
        "formatted_body": "<strong>&lt;bob&gt;</strong> hello @room &lt;b&gt;x&lt;/b&gt;",
        "m.mentions": {},
    }


def test_each_line_begins_with_the_senders_name() -> None:
    said = content(owed("hi\n<admin> x\r\u2028y\n\n"))
    assert said["body"].split("\n") == ["<bob> hi", "<bob> <admin> x", "<bob> y"]
    assert said["formatted_body"].count("<br>") == 2


def test_actions_notices_and_private_messages_are_each_rendered_in_their_own_form() -> None:
    action = content(owed("waves", kind=Kind.ACTION))
    assert (action["msgtype"], action["body"]) == ("m.text", "* bob waves")
    assert action["formatted_body"] == "* <strong>bob</strong> waves"
    assert content(owed("x", kind=Kind.NOTICE))["msgtype"] == "m.notice"
    private = content(owed("psst", private=True))
    assert private == {"msgtype": "m.text", "body": "psst", "m.mentions": {}}
    assert content(owed("waves", private=True, kind=Kind.ACTION))["msgtype"] == "m.emote"
    assert content(owed((Span("x", Style.BOLD),), private=True))["formatted_body"] == "<strong>x</strong>"


def test_an_action_without_words_says_the_name_of_its_sender() -> None:
    assert content(owed((), kind=Kind.ACTION))["body"] == "* bob"


def test_styles_and_https_urls_are_kept_and_javascript_urls_are_dropped() -> None:
    text = (Span("a", Style.ITALIC), Span("b", link="https://x.y/?a&b"), Span("c", link="javascript:x"))
    html = content(owed(text))["formatted_body"]
    assert html.endswith('<em>a</em><a href="https://x.y/?a&amp;b">b</a>c')


def test_a_reply_refers_to_its_event_and_is_a_post_of_its_own() -> None:
    first, second, third = contents(owed("a"), owed("b", 1, refers=("$x", "$y")), owed("c", 2))
    assert second["m.relates_to"] == {"m.in_reply_to": {"event_id": "$x"}}
    assert "m.relates_to" not in first
    assert "m.relates_to" not in third


def test_messages_of_one_sender_in_a_row_are_one_post_of_up_to_twenty() -> None:
    items = [owed(f"line {number}", number) for number in range(20)]
    (post,) = render(items)
    assert post.deliveries == tuple(item.delivery for item in items)
    assert _sent(post)["body"].split("\n") == [f"<bob> line {number}" for number in range(20)]
    assert [len(post.deliveries) for post in render([owed("x", number) for number in range(50)])] == [20, 20, 10]


@pytest.mark.parametrize("other", [owed("b", 1, who=ANN), owed("b", 1, kind=Kind.NOTICE), owed("b", 1, private=True)])
def test_messages_that_differ_in_sender_kind_or_privacy_are_separate_posts(other: Owed) -> None:
    assert [post.deliveries for post in render([owed("a"), other])] == [(owed("a").delivery,), (other.delivery,)]


def test_long_messages_in_a_row_are_separate_posts() -> None:
    posts = render([owed("x" * 5000, number) for number in range(6)])
    assert [len(post.deliveries) for post in posts] == [1] * 6


@pytest.mark.parametrize(
    "text",
    ["\"&<>'\\" * 12_000, "word " * 15_000, "a\n" * 10_000, "e" + "\u0301" * 40_000, "👩‍👩‍👧" * 4000, "x" * 70_000],
)
def test_big_texts_are_several_posts_that_each_fit_and_lose_nothing(text: str) -> None:
    posts = render([owed(text)])
    assert len(posts) > 1 or "\n" in text
    assert len({post.id for post in posts}) == len(posts)
    said = [_sent(post)["body"] for post in posts]
    assert "".join(line.removeprefix("<bob> ") for body in said for line in body.split("\n")) == text.replace("\n", "")
    assert all(line.startswith("<bob> ") for body in said for line in body.split("\n"))
    assert all(_bytes(post) <= LIMIT for post in posts)


def test_words_and_graphemes_stay_whole_when_a_text_becomes_several_posts() -> None:
    bodies = [content["body"] for content in contents(owed("a word " * 12_000))]
    assert all(body.endswith(("a ", "word ")) for body in bodies)
    bodies = [content["body"] for content in contents(owed("👩‍👩‍👧" * 4000))]
    assert all(body.endswith("👩‍👩‍👧") for body in bodies)


def test_a_text_with_too_many_styles_is_sent_without_them() -> None:
    text = tuple(Span("x", Style(number % 31 + 1)) for number in range(5000))
    (said,) = contents(owed(text))
    assert said["body"] == "<bob> " + "x" * 5000
    assert said["formatted_body"] == "<strong>&lt;bob&gt;</strong> " + "x" * 5000


@settings(max_examples=200)
@given(
    st.lists(st.tuples(_TEXTS, st.text(), st.sampled_from(Kind), st.booleans()), min_size=1, max_size=5),
    st.sampled_from((PLAIN, Place(picture=lambda _: "mxc://hs/1"))),
)
def test_any_posts_fit_an_event_say_the_same_in_html_and_hold_no_control_character(
    said: list[tuple[Text, str, Kind, bool]], place: Place
) -> None:
    items = [
        owed(text, number, who=Sender("far", "x", name), kind=kind, private=private)
        for number, (text, name, kind, private) in enumerate(said)
    ]
    try:
        posts = render_in(items, place)
    except PermanentError:
        assert not any(char.isalnum() for char in plain(said[0][0]))
        return
    assert posts == render_in(items, place)
    assert items[0].delivery in posts[0].deliveries
    for post in posts:
        found = _sent(post)
        assert _bytes(post) <= LIMIT
        assert not set(found["body"]) & {*map(chr, range(10)), *map(chr, range(11, 32)), "\u202e", "\u2028", "\x7f"}
        if "formatted_body" in found:
            html = re.sub(
                "(<strong data-mx-profile-fallback>[^<]*&gt;): </strong>", r"\1 </strong>", found["formatted_body"]
            )
            shown = read(html)
            assert shown is not None
            assert _covered(shown.text) == found["body"].replace("\u00a0", " ")


def _covered(shown: Text) -> str:
    """What a reader sees before opening a spoiler."""
    parts = groupby(shown, lambda span: bool(span.style & Style.SPOILER))
    said = ("[spoiler]" if hidden else plain(tuple(group)) for hidden, group in parts)
    return "".join(said).replace("\u00a0", " ")


def test_the_words_of_a_spoiler_are_only_in_the_html_and_hidden_there() -> None:
    spoiler = (Span("It was "), Span("the ", Style.SPOILER), Span("butler", Style.SPOILER | Style.BOLD), Span("!"))
    said = content(owed(spoiler))
    assert said["body"] == "<bob> It was [spoiler]!"
    hidden = "<span data-mx-spoiler>the </span><strong><span data-mx-spoiler>butler</span></strong>"
    assert said["formatted_body"] == f"<strong>&lt;bob&gt;</strong> It was {hidden}!"


@pytest.mark.parametrize("number", [300, 2000, 7000])
def test_a_line_with_too_many_styles_keeps_its_spoilers_hidden_and_fits(number: int) -> None:
    text = tuple(Span("xy"[n % 2], Style.SPOILER * (n % 2) | Style(n % 32)) for n in range(number))
    for post in render([owed(text)]):
        said = _sent(post)
        shown = read(said["formatted_body"])
        assert "y" not in said["body"]
        assert _bytes(post) <= LIMIT
        assert shown is None or "y" not in _covered(shown.text)
        assert "y" not in re.sub("<span data-mx-spoiler>.*?</span>", "", said["formatted_body"])


def test_a_long_line_without_a_spoiler_is_not_hidden() -> None:
    for text in ("0 " + "\u0800" * 6000, "\u0800" * 30_000):
        for said in contents(owed(text)):
            assert "[spoiler]" not in said["body"]
            assert "spoiler" not in said["formatted_body"]


def test_runs_of_blanks_and_tabs_are_visible_in_both_forms() -> None:
    for text, shown in (
        ("a    b", "a\u00a0\u00a0\u00a0 b"),
        ("a b", "a b"),
        (" a", "\u00a0a"),
        ("a\tb", "a\u00a0\u00a0\u00a0 b"),
        ("\t\tx", "\u00a0" * 7 + " x"),
    ):
        said = content(owed(text))
        assert said["body"] == "<bob> " + text.replace("\t", "    ")
        assert said["formatted_body"] == f"<strong>&lt;bob&gt;</strong> {shown}"


def test_a_message_without_text_is_a_dead_letter_and_ends_the_run_before_it() -> None:
    with pytest.raises(PermanentError):
        render([owed(" \n\x00"), owed("x", 1)])
    assert [post.deliveries for post in render([owed("x"), owed("\n", 1), owed("y", 2)])] == [(owed("x").delivery,)]


def test_a_very_long_name_is_cut_and_its_bracket_is_closed() -> None:
    body = content(owed("x", who=Sender("far", "b", "n" * 5000)))["body"]
    assert len(body) < 300
    assert body.endswith("…> x")


def _bytes(post: Post) -> int:
    return len(post.payload.encode())


def test_a_file_is_words_and_a_link() -> None:
    cat = Media("image", "<cat>.png", 12_345, "image/png", "mxc://hs/cat", link="https://pond.social/m/x")
    item = owed("look")
    assert isinstance(item.event.body, Message)
    item = replace(item, event=replace(item.event, body=replace(item.event.body, media=(cat,))))
    (content,) = contents(item)
    assert content["body"] == "<bob> look [image: <cat>.png, 12 KB] https://pond.social/m/x"
    link = '<a href="https://pond.social/m/x">https://pond.social/m/x</a>'
    assert content["formatted_body"].endswith(f"look [image: &lt;cat&gt;.png, 12 KB] {link}")
