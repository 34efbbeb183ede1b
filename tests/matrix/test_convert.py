"""Matrix events to messages (bridge.matrix.dialect.convert)."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.matrix.dialect.convert import Us, beginning, is_long, message, sender
from bridge.model.event import Edit, Event, EventKey, Kind, Message, Redaction, Room
from bridge.model.people import Identity, Proof
from bridge.model.text import NAME_LIMIT, Span, Style, plain, words
from tests.events import body_of
from tests.strategies import with_runs

ROOM = Room("home", "#pond:hs")
US = Us("@duck:hs", "Little Yellow Duck")
HTML = "org.matrix.custom.html"

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | with_runs(st.text()) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
_KEYS = st.sampled_from(
    [
        "msgtype",
        "body",
        "format",
        "formatted_body",
        "m.relates_to",
        "m.new_content",
        "m.mentions",
        "filename",
        "geo_uri",
    ]
)
_KNOWN = st.sampled_from(["m.text", "m.image", "m.replace", "m.emote", HTML, "> <@a:hs> b\n\nc"])
_RELATES = st.dictionaries(
    st.sampled_from(["rel_type", "m.in_reply_to", "event_id", "is_falling_back"]), _JSON | _KNOWN
)
_CONTENT = st.dictionaries(_KEYS, _JSON | _KNOWN | _RELATES)


def heard(content: object, kind: str = "m.room.message", **more: object) -> Event | None:
    event = {"type": kind, "event_id": "$1", "sender": "@ann:hs", "origin_server_ts": 1_500, "content": content} | more
    return message(event, ROOM, sender("home", "@ann:hs", "Ann"), US)


def text_of(content: Mapping[str, object], kind: str = "m.room.message") -> str | None:
    found = heard(content, kind)
    return None if found is None else plain(found.text)


def said(body: str, **more: object) -> dict[str, object]:
    return {"msgtype": "m.text", "body": body, **more}


@given(_JSON | _CONTENT | st.builds(lambda a, b: a | {"m.new_content": b}, _CONTENT, _CONTENT))
def test_message_content_of_any_shape_does_not_raise_and_its_text_can_be_stored(content: object) -> None:
    found = heard(content)
    if found is not None:
        plain(found.text).encode()
        bare_action = isinstance(found.body, Message | Edit) and found.body.kind is Kind.ACTION
        assert plain(found.text).strip() or bare_action


@given(_JSON)
def test_event_fields_of_any_type_do_not_raise(value: object) -> None:
    found = heard(said("x"), event_id=value, origin_server_ts=value, sender=value)
    assert found is not None
    found.id.encode()


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
        ({"msgtype": "m.image", "body": "look!", "filename": "cat.png"}, "[image: cat.png] look!"),
        ({"msgtype": "m.file"}, "[file: no name]"),
        ({"msgtype": "m.audio", "body": "a.ogg"}, "[audio: a.ogg]"),
        ({"msgtype": "m.video", "body": 7}, "[video: no name]"),
        ({"msgtype": "m.location", "body": "here", "geo_uri": "geo:1,2"}, "[location: geo:1,2] here"),
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
    assert found.text == (Span("[image: cat.png] "), look, Span(" "), duck)
    assert body_of(found).called == ""
    assert text_of(image | {"body": "cat.png", "formatted_body": "<b>cat.png</b>"}) == "[image: cat.png]"
    assert text_of(image | {"body": "look", "format": "x", "formatted_body": "<b>no</b>"}) == "[image: cat.png] look"
    long = "word " * 3000 + "end"
    assert text_of(image | {"body": long}) == f"[image: cat.png] {long}"
    assert text_of(image | {"body": "x", "formatted_body": f"<i>{long}</i>"}) == f"[image: cat.png] {long}"
    assert text_of({"msgtype": "m.location", "body": long, "geo_uri": "geo:1,2"}) == f"[location: geo:1,2] {long}"


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
        ({"msgtype": "m.image", "body": "look!", "filename": "cat.png"}, "[image: cat.png] look!"),
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


@pytest.mark.parametrize("since_version_11", [False, True])
def test_a_redaction_refers_to_its_event(since_version_11: bool) -> None:
    reason = {"reason": "oops"}
    content, beside = (reason | {"redacts": "$0"}, {}) if since_version_11 else (reason, {"redacts": "$0"})
    event = heard(content, "m.room.redaction", **beside)
    assert event is not None
    assert event.body == Redaction(EventKey(ROOM, "$0"), "oops")
    assert heard({}, "m.room.redaction") is None


def test_of_a_long_message_that_is_not_carried_only_the_beginning_is_read() -> None:
    long = "duck: " + "x" * 50_000
    content = said(long, format=HTML, formatted_body=f"<b>{long}</b>", **{"m.mentions": {"user_ids": [US.user]}})
    event = {"type": "m.room.message", "event_id": "$1", "content": content}
    assert is_long(event)
    read = message(beginning(event), ROOM, sender("home", "@ann:hs", "Ann"), US)
    assert read is not None
    assert len(plain(read.text)) == 2_000
    assert read.text[0].style is Style.PLAIN
    assert body_of(read).called == "duck"
    assert not is_long({"type": "m.room.message", "content": said("short")})
    assert not is_long({"content": []})


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


def test_a_message_in_a_thread_is_no_reply() -> None:
    thread = {"rel_type": "m.thread", "event_id": "$0", "is_falling_back": True, "m.in_reply_to": {"event_id": "$9"}}
    found = heard(said("x", **{"m.relates_to": thread}))
    assert found is not None
    assert body_of(found).reply_to is None


@pytest.mark.parametrize(
    ("content", "called"),
    [
        (said("duck: hi"), "duck"),
        (said("Little Yellow Duck, hi"), "Little Yellow Duck"),
        (said("@duck:hs hi"), "@duck:hs"),
        (said("hi duck"), None),
        (said("ducks are nice"), None),
        (said("hi you", **{"m.mentions": {"user_ids": ["@duck:hs"]}}), ""),
        (said("hi you", **{"m.mentions": {"user_ids": [{}, "@ann:hs"]}}), None),
        (said("x", format=HTML, formatted_body="hi <a href='https://matrix.to/#/@duck:hs'>you</a>"), ""),
        (said("x", format=HTML, formatted_body="<a href='https://matrix.to/#/@duck:hs'>duck</a>: hi"), "duck"),
    ],
)
def test_a_message_calls_the_bot_by_name_at_its_start_by_mention_or_by_pill(
    content: dict[str, object], called: str | None
) -> None:
    found = heard(content)
    assert found is not None
    assert body_of(found).called == called


def test_a_text_is_cut_to_64_kib() -> None:
    assert len((text_of(said("é" * 100_000)) or "").encode()) <= 64 * 1024
