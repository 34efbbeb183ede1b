"""Matrix events to messages and edits (bridge.matrix.dialect.convert, content)."""

from collections.abc import Mapping

import pytest

from bridge.matrix.dialect import convert
from bridge.matrix.dialect.content import beginning, is_long
from bridge.matrix.dialect.convert import sender
from bridge.model.event import Edit, Event, EventKey, Kind, Media, Message
from bridge.model.people import Identity, Proof
from bridge.model.text import NAME_LIMIT, Span, Style, plain, words
from tests.events import body_of
from tests.matrix.heard import HTML, ROOM, US, heard, said

MAP = "https://www.openstreetmap.org/?mlat=1&mlon=2"


def text_of(content: Mapping[str, object], kind: str = "m.room.message") -> str | None:
    found = heard(content, kind)
    return None if found is None else plain(found.text)


def test_a_message_event_has_id_room_sender_time_and_text() -> None:
    assert heard(said("hi")) == Event("$1", ROOM, sender("home", "@ann:hs", "Ann"), 1.5, Message(words("hi")))


def test_a_sender_is_proved_by_the_homeserver_and_the_shown_name_is_cleaned() -> None:
    ann = sender("home", "@ann:hs", "Ann <admin>\u202e\n")
    assert ann.proofs == (Identity(Proof.MATRIX, "", "@ann:hs"),)
    assert ann.name == "Ann ‹admin›"
    assert sender("home", "@ann:hs", "").name == "@ann:hs"
    assert len(sender("home", "@ann:hs", "x" * 1000).name) == NAME_LIMIT


@pytest.mark.parametrize(
    ("msgtype", "kind"),
    [("m.text", Kind.TEXT), ("m.notice", Kind.NOTICE), ("m.emote", Kind.ACTION), ("x.y", Kind.TEXT)],
)
def test_the_msgtype_decides_the_kind_of_a_message(msgtype: str, kind: Kind) -> None:
    found = heard({"msgtype": msgtype, "body": "x"})
    assert found is not None
    assert body_of(found).kind is kind


def test_html_is_used_if_it_has_readable_text_and_the_plain_body_otherwise() -> None:
    found = heard(said("*x*", format=HTML, formatted_body="<b>x</b>"))
    assert found is not None
    assert found.text == (Span("x", Style.BOLD),)
    assert text_of(said("x", format=HTML, formatted_body="<script>x</script>")) == "x"
    assert text_of(said("x", format="other", formatted_body="<b>y</b>")) == "x"
    assert text_of(said("x", format=HTML, formatted_body="<b>" * 10_000 + "y")) == "x"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"msgtype": "m.image", "body": "cat.png"}, "[image: cat.png]"),
        ({"msgtype": "m.image", "body": "look!", "filename": "cat.png"}, "look! [image: cat.png]"),
        ({"msgtype": "m.file"}, "[file]"),
        ({"msgtype": "m.audio", "body": "a.ogg"}, "[audio: a.ogg]"),
        ({"msgtype": "m.video", "body": 7}, "[video]"),
        ({"msgtype": "m.image", "body": "cat.png", "info": {"size": 12_345}}, "[image: cat.png, 12 KB]"),
        (
            {"msgtype": "m.video", "body": "c.mp4", "info": {"size": 2**21, "duration": 90_500}},
            "[video: c.mp4, 1:30, 2.1 MB]",
        ),
        (
            {"msgtype": "m.audio", "body": "v", "info": {"duration": 7000}, "org.matrix.msc3245.voice": {}},
            "[voice: 0:07]",
        ),
        ({"msgtype": "m.file", "body": "a\nb\u202e.exe", "info": {"size": -1, "duration": 5}}, "[file: a b.exe]"),
        ({"msgtype": "m.location", "body": "here", "geo_uri": "geo:1,2"}, f"here [location: geo:1,2] {MAP}#map=16/1/2"),
        ({"msgtype": "m.location", "geo_uri": "geo:1,2<x;u=5"}, f"[location: geo:1,2<x;u=5] {MAP}#map=16/1/2"),
        ({"msgtype": "m.location", "geo_uri": "geo:x,2"}, "[location: geo:x,2]"),
        ({"msgtype": "m.location", "body": "here"}, "[location: here]"),
        ({"msgtype": "m.location"}, "[location]"),
        ({"msgtype": "m.key.verification.request", "body": "x"}, None),
        ({"msgtype": "m.text", "body": " \n"}, None),
        ({}, None),
    ],
)
def test_media_is_shown_by_kind_and_name_and_a_message_without_text_is_ignored(
    content: dict[str, object], text: str | None
) -> None:
    assert text_of(content) == text


def test_a_caption_keeps_its_formatting_its_length_and_whom_it_mentions() -> None:
    image: dict[str, object] = {"msgtype": "m.image", "filename": "cat.png", "format": HTML}
    found = heard(image | {"body": "*look*", "formatted_body": "<b>look</b> <a href='matrix:u/duck:hs'>Duck</a>"})
    assert found is not None
    look, duck = Span("look", Style.BOLD), Span("Duck", mention="@duck:hs")
    assert body_of(found).text == (look, Span(" "), duck)
    assert found.text == (look, Span(" "), duck, Span(" [image: cat.png]"))
    assert body_of(found).called == ""
    assert text_of(image | {"body": "cat.png", "formatted_body": "<b>cat.png</b>"}) == "[image: cat.png]"
    assert text_of(image | {"body": "look", "format": "x", "formatted_body": "<b>no</b>"}) == "look [image: cat.png]"
    long = "word " * 3000 + "end"
    assert text_of(image | {"body": long}) == f"{long} [image: cat.png]"
    assert text_of(image | {"body": "x", "formatted_body": f"<i>{long}</i>"}) == f"{long} [image: cat.png]"
    assert (
        text_of({"msgtype": "m.location", "body": long, "geo_uri": "geo:1,2"})
        == f"{long} [location: geo:1,2] {MAP}#map=16/1/2"
    )


def test_a_file_is_kept_with_what_clients_say_of_it_and_one_that_nobody_can_fetch_without_a_source() -> None:
    image = {"msgtype": "m.image", "body": "cat.png", "info": {"size": 5, "mimetype": "image/png"}}
    found = heard(image | {"url": "mxc://hs/abc"})
    assert found is not None
    assert body_of(found).media == (Media("image", "cat.png", 5, "image/png", "mxc://hs/abc"),)
    for source in ({"file": {"url": "mxc://hs/abc"}}, {"url": "https://x.example/a"}, {"url": 7}, {}):
        found = heard(image | source)
        assert found is not None
        assert body_of(found).media == (Media("image", "cat.png", 5, "image/png", ""),)


def test_an_edit_has_the_file_that_it_puts_in_the_place_of_the_old_one() -> None:
    found = heard(edit_of("$0", {"msgtype": "m.image", "body": "new", "filename": "b.png", "url": "mxc://hs/b"}))
    assert found is not None
    media = Media("image", "b.png", None, "", "mxc://hs/b")
    assert found.body == Edit(EventKey(ROOM, "$0"), words("new"), Kind.TEXT, (media,))


def test_a_sticker_is_shown_by_kind_and_name() -> None:
    assert text_of({"body": "quack"}, "m.sticker") == "[sticker: quack]"


def edit_of(target: object, new: object, fallback: str = "* fallback") -> dict[str, object]:
    return said(fallback, **{"m.new_content": new, "m.relates_to": {"rel_type": "m.replace", "event_id": target}})


def test_an_edit_names_its_target_and_says_its_new_content_in_the_new_formatting() -> None:
    found = heard(edit_of("$0", said("new", format=HTML, formatted_body="<i>new</i>")))
    assert found is not None
    assert found.body == Edit(EventKey(ROOM, "$0"), (Span("new", Style.ITALIC),))
    for new, text in (
        (said("duck: second"), "duck: second"),
        ({"msgtype": "m.image", "body": "look!", "filename": "cat.png"}, "look! [image: cat.png]"),
        (said("whoami", **{"m.relates_to": {"m.in_reply_to": {"event_id": "$9"}}}), "whoami"),
    ):
        assert text_of(edit_of("$0", new)) == text
    emote = heard(edit_of("$0", {"msgtype": "m.emote", "body": "waves"}))
    assert emote is not None
    assert emote.body == Edit(EventKey(ROOM, "$0"), words("waves"), Kind.ACTION)


@pytest.mark.parametrize("new", [None, {}, "x", {"msgtype": "m.text"}, said(" "), {"body": 7}])
def test_the_fallback_of_an_edit_without_new_content_is_not_said(new: object) -> None:
    assert heard(edit_of("$0", new)) is None


@pytest.mark.parametrize("target", [None, 7, ""])
def test_a_message_that_replaces_no_event_is_a_message(target: object) -> None:
    found = heard(edit_of(target, said("new"), "hi"))
    assert found is not None
    assert found.body == Message(words("hi"))


@pytest.mark.parametrize("body", ["", " ", "\u200b"])
def test_a_bare_me_is_an_action_without_words(body: str) -> None:
    event = heard({"msgtype": "m.emote", "body": body})
    assert event is not None
    assert (body_of(event).kind, plain(event.text)) == (Kind.ACTION, "")
    assert heard({"msgtype": "m.text", "body": body}) is None


def test_of_a_long_message_that_is_not_carried_only_the_beginning_is_read() -> None:
    long = "duck: " + "x" * 50_000
    content = said(long, format=HTML, formatted_body=f"<b>{long}</b>", **{"m.mentions": {"user_ids": [US.user]}})
    event = {"type": "m.room.message", "event_id": "$1", "content": content}
    assert is_long(event)
    read = convert.event(beginning(event), ROOM, sender("home", "@ann:hs", "Ann"), US)
    assert read is not None
    assert len(plain(read.text)) == 2_000
    assert read.text[0].style is Style.PLAIN
    assert body_of(read).called == "duck"
    assert not is_long({"type": "m.room.message", "content": said("short")})
    assert not is_long({"type": "m.room.message", "content": []})
    assert not is_long({"type": "m.room.redaction", "content": {"redacts": "$0", "body": long}})


def test_a_reply_refers_to_its_event_and_loses_its_quoted_fallback() -> None:
    relates = {"m.relates_to": {"m.in_reply_to": {"event_id": "$0"}}}
    found = heard(said("> <@bob:hs> old\n> more\n\nnew\n> mine", **relates))
    assert found is not None
    assert plain(found.text) == "new\n> mine"
    assert body_of(found).reply_to == EventKey(ROOM, "$0")
    assert text_of(said("> <@bob:hs> old\n\nnew")) == "> <@bob:hs> old\n\nnew"
    assert text_of(said("> my own quotation\nnew", **relates)) == "> my own quotation\nnew"
    assert text_of(said("> <bob> hi there\nI agree", **relates)) == "> <bob> hi there\nI agree"


@pytest.mark.parametrize("text", ["\u200e", "\u200b", " \n ", "\u2060\ufeff", "\u200d\ufe0f", "\x00\x07", "\u3164"])
def test_a_message_of_invisible_characters_only_is_ignored(text: str) -> None:
    assert heard(said(text)) is None
    assert heard(said(text, format=HTML, formatted_body=f"<p>{text}</p>")) is None


def test_a_text_is_cut_to_64_kib() -> None:
    assert len((text_of(said("é" * 100_000)) or "").encode()) <= 64 * 1024
