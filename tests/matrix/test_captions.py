"""Messages of ours that have a file (bridge.matrix.dialect.captions, render, amend; bridge.matrix.acting)."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.matrix.dialect import amend
from bridge.matrix.dialect.operations import ID, PARTS, Amend, Redact, Say, compact, decode
from bridge.matrix.dialect.place import Place
from bridge.matrix.dialect.profile import PROFILE
from bridge.matrix.dialect.render import render as render_in
from bridge.model.event import Edit, Event, Message, Redaction
from bridge.model.outbox import Attached, Owed
from bridge.model.text import Span, Style, words
from tests.matrix.test_acting import _Answers, perform
from tests.matrix.test_render import BOB, FAR, LIMIT, ROOM, render
from tests.matrix.test_render_bodies import PART, TARGET, known, operations, owed

CAT = Attached("image", "cat.png", 12_345, "image/png", "mxc://hs/cat", 640, 480, blurhash="LEHV6nWB2yk8")


def with_cat(item: Owed, file: Attached = CAT) -> Owed:
    return replace(item, attached=file)


def contents(*items: Owed) -> list[dict[str, Any]]:
    found = []
    for operation in operations(*items):
        assert isinstance(operation, Say)
        found.append(dict(operation.content))
    return found


def test_a_message_with_a_file_is_one_event_whose_caption_are_its_words() -> None:
    (content,) = contents(with_cat(owed(Message((Span("see", Style.BOLD),)))))
    del content[PARTS]
    assert content == {
        "msgtype": "m.image",
        "url": "mxc://hs/cat",
        "filename": "cat.png",
        "info": {"size": 12_345, "mimetype": "image/png", "w": 640, "h": 480, "xyz.amorgan.blurhash": "LEHV6nWB2yk8"},
        "body": "<bob> see",
        "format": "org.matrix.custom.html",
        "formatted_body": "<strong>&lt;bob&gt;</strong> <strong>see</strong>",
        "m.mentions": {},
    }


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_sound_and_a_video_have_their_length_in_milliseconds(kind: Any) -> None:
    (content,) = contents(
        with_cat(owed(Message(words("see"))), Attached(kind, "a", 5, "x/y", "mxc://hs/a", length=7.4))
    )
    assert (content["msgtype"], content["info"]) == (f"m.{kind}", {"size": 5, "mimetype": "x/y", "duration": 7400})


def test_a_message_with_a_file_keeps_what_it_answers_and_is_merged_with_none() -> None:
    one, two, three = (owed(Message(words(text)), number=at) for at, text in enumerate(("one", "two", "three")))
    assert [each["msgtype"] for each in contents(one, with_cat(two), three)] == ["m.text", "m.image", "m.text"]
    assert [each["body"] for each in contents(one, with_cat(two), three)] == ["<bob> one", "<bob> two", "<bob> three"]
    assert len(contents(with_cat(one), with_cat(two))) == 2
    assert len(contents(one, two, three)) == 1
    (content,) = contents(with_cat(owed(Message(words("see"), reply_to=TARGET), known("$0"))))
    assert content["m.relates_to"] == {"m.in_reply_to": {"event_id": "$0"}}


def test_only_the_first_event_of_a_long_message_has_its_file() -> None:
    first, *others = contents(with_cat(owed(Message(words("x" * 100_000)))))
    assert first["msgtype"] == "m.image"
    assert [each["msgtype"] for each in others] == ["m.text"] * len(others)
    assert len(others) > 1
    assert not [each for each in others if "url" in each]


@given(st.text(), st.text(), st.text(), st.integers(0, 2**53), st.text(max_size=1000))
def test_any_file_fits_an_event_and_has_no_control_character(
    name: str, mime: str, text: str, size: int, blurhash: str
) -> None:
    file = Attached("image", name * 100, size, mime * 100, "mxc://hs/a", blurhash=blurhash * 1000)
    item = with_cat(owed(Message(words(f"x{text}" + "y" * 39_000))), file)
    for post in render([item]):
        assert len(post.payload.encode()) <= LIMIT
    info = contents(item)[0]["info"]
    assert not set("\r\n\x00") & set(contents(item)[0]["filename"] + info["mimetype"])


# Edits and removals


def image(body: str = "<bob> see", **more: Any) -> dict[str, Any]:
    """The content of an event of ours with a picture."""
    (content,) = contents(with_cat(owed(Message(words("see")))))
    return content | {"body": body, PARTS: [[PART, 1]], **more}


def edit(text: str) -> Amend:
    (operation,) = operations(owed(Edit(TARGET, words(text)), known("$1")))
    assert isinstance(operation, Amend)
    return operation


@pytest.mark.parametrize(
    "shown", [image(), {**image(), PARTS: None}, image("<bob> a\n<bob> b", **{PARTS: [[PART, 2]]})]
)
async def test_an_edit_of_the_words_keeps_the_file(shown: dict[str, Any]) -> None:
    server = _Answers(event_1={"type": "m.room.message", "sender": "@duck:hs", "content": shown})
    await perform(server, edit("look"))
    ((_, content),) = server.puts
    file = {key: shown[key] for key in ("msgtype", "url", "filename", "info")}
    new = content["m.new_content"]
    assert {key: new[key] for key in file} == file
    assert new["body"] == "<bob> look"
    assert {key: content[key] for key in file} == file, "clients that know no edits show it too"
    assert content["body"] == "* <bob> look"


async def test_an_edit_of_a_text_is_a_text() -> None:
    text = {"msgtype": "m.text", "body": "<bob> see", "url": "mxc://hs/x", PARTS: [[PART, 1]]}
    server = _Answers(event_1={"type": "m.room.message", "sender": "@duck:hs", "content": text})
    await perform(server, edit("look"))
    ((_, content),) = server.puts
    assert content["m.new_content"]["msgtype"] == content["msgtype"] == "m.text"
    assert "url" not in content["m.new_content"]


def test_an_edit_of_a_caption_fits_an_event() -> None:
    shown = image() | {"info": {"xyz.amorgan.blurhash": "x" * 200}, PROFILE: {"id": "x" * 64}}
    content = amend.replacement("$1", {**amend.amended(shown, PART, edit("ä" * 7_000).content), ID: "x"})
    assert len(compact(content).encode()) <= LIMIT


async def test_a_removal_removes_the_event_with_the_file_and_the_rest_of_its_words() -> None:
    removal = operations(owed(Redaction(TARGET), known("$1", "$2")))
    assert removal == [Redact("$1", PART), Redact("$2", PART)]
    server = _Answers(
        event={"type": "m.room.message", "sender": "@duck:hs", "content": image()}, relations={"chunk": []}
    )
    await perform(server, removal[0])
    assert [path.split("/")[:2] for path, _ in server.puts] == [["redact", "$1"]]


def test_a_caption_has_profile_and_mentions_as_a_text_has() -> None:
    event = Event("$1", FAR, replace(BOB, user="bob"), 0.0, Message(words("alice: hi")))
    for file in (CAT, None):
        (post,) = render_in([Owed("d", ROOM, event, attached=file)], Place(who={"alice": "@alice:hs"}.get))
        operation = decode(post.payload)
        assert isinstance(operation, Say)
        assert operation.content["m.mentions"] == {"user_ids": ["@alice:hs"]}
        profile = operation.content[PROFILE]
        assert isinstance(profile, dict)
        assert profile["displayname"] == "bob"
