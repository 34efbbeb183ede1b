"""Files as clients describe them, galleries among them (bridge.matrix.dialect.files, content)."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.matrix.dialect.files import files
from bridge.matrix.dialect.sources import parse
from bridge.model.event import Edit, EventKey, Kind, Media, Message
from bridge.model.text import Span, Style, plain, words
from tests.events import body_of
from tests.matrix.heard import HTML, ROOM, heard, said
from tests.matrix.sealed import sealed
from tests.matrix.test_power import JSON
from tests.work import growth


def item(name: object = "cat.png", **more: object) -> dict[str, object]:
    return {"itemtype": "m.image", "body": name, "url": f"mxc://hs/{name}".removesuffix(".png"), **more}


def gallery(items: object, body: object = "", **more: object) -> dict[str, Any]:
    return {"msgtype": "dm.filament.gallery", "body": body, "itemtypes": items, **more}


def of(content: object) -> tuple[str, tuple[Media, ...]]:
    """The text and the files of a message."""
    found = heard(content)
    assert found is not None
    return plain(body_of(found).text), body_of(found).media


CAT, DOG = Media("image", "cat.png", None, "", "mxc://hs/cat"), Media("image", "dog.png", None, "", "mxc://hs/dog")


@pytest.mark.parametrize("msgtype", ["m.gallery", "dm.filament.gallery"])
def test_a_gallery_is_a_message_with_several_files_and_a_caption_in_its_formatting(msgtype: str) -> None:
    content = gallery([item(), item("dog.png")], "*both*", format=HTML, formatted_body="<b>both</b>")
    found = heard(content | {"msgtype": msgtype})
    assert found is not None
    assert body_of(found).text == (Span("both", Style.BOLD),)
    assert body_of(found).media == (CAT, DOG)
    assert plain(found.text) == "both [image: cat.png] [image: dog.png]"


def test_the_items_of_a_gallery_are_files_of_all_kinds_also_encrypted_ones() -> None:
    _, file = sealed(b"quack")
    info = {"size": 7, "mimetype": "video/mp4", "duration": 7400}
    items = [
        item("a.mp4", itemtype="m.video", info=info, url="mxc://hs/a"),
        item("b.ogg", itemtype="m.audio", url="mxc://hs/b", **{"org.matrix.msc3245.voice": {}}),
        {"itemtype": "m.file", "body": "a caption", "filename": "c.pdf", "file": file},
    ]
    text, (video, voice, other) = of(gallery(items))
    assert text == ""
    assert video == Media("video", "a.mp4", 7, "video/mp4", "mxc://hs/a", 7.4)
    assert voice.described == "[voice]"
    assert (other.name, other.source[:11]) == ("c.pdf", "mxc://hs/a#")


@pytest.mark.parametrize("number", [21, 5000])
def test_no_more_than_twenty_files_are_shown_and_it_is_said_how_many_there_are(number: int) -> None:
    text, media = of(gallery([item()] * number, "see"))
    assert text == f"see (the first 20 of {number:,} files)"
    assert len(media) == 20
    assert of(gallery([item()] * number))[0] == f"(the first 20 of {number:,} files)"
    assert of(gallery([item()] * 20, "see"))[0] == "see"


@pytest.mark.parametrize("items", [None, {}, "x", [], [7, None, "x", [item()], {}, {"itemtype": 7}, gallery([item()])]])
def test_a_gallery_without_a_file_is_its_caption(items: object) -> None:
    assert of(gallery(items, "see")) == ("see", ())
    assert heard(gallery(items)) is None


def test_items_that_are_none_are_left_out() -> None:
    items = [7, item(), gallery([item()] * 50) | {"itemtype": "m.gallery"}, item("dog.png"), None]
    assert of(gallery(items, "see")) == ("see", (CAT, DOG))


def test_an_edit_of_a_gallery_has_its_new_caption_and_its_new_files() -> None:
    relates = {"rel_type": "m.replace", "event_id": "$0"}
    found = heard(said("* x", **{"m.new_content": gallery([item("dog.png")], "new"), "m.relates_to": relates}))
    assert found is not None
    assert found.body == Edit(EventKey(ROOM, "$0"), words("new"), Kind.TEXT, (DOG,))


def test_a_gallery_keeps_whom_it_mentions_and_what_it_answers() -> None:
    relates = {"m.in_reply_to": {"event_id": "$0"}}
    content = gallery([item()], "duck: see", **{"m.mentions": {"user_ids": ["@bob:hs"]}, "m.relates_to": relates})
    found = heard(content)
    assert found is not None
    body = body_of(found)
    assert (body.mentions, body.called, body.reply_to) == (("@bob:hs",), "duck", EventKey(ROOM, "$0"))


@pytest.mark.parametrize(
    ("info", "described"),
    [
        ({"size": "7", "duration": "7"}, "[video: a.mp4]"),
        ({"size": -7, "duration": -7}, "[video: a.mp4]"),
        ({"size": float("inf"), "duration": float("inf")}, "[video: a.mp4]"),
        ({"size": float("nan"), "duration": 2**63}, "[video: a.mp4]"),
        ({"size": True, "duration": [7]}, "[video: a.mp4]"),
        ({"size": 10**400, "duration": 10 * 365 * 86_400_000}, "[video: a.mp4]"),
        ({"size": 7, "duration": 7 * 86_400_000}, "[video: a.mp4, 168:00:00, 7 bytes]"),
        ([{"size": 7}], "[video: a.mp4]"),
        ("x", "[video: a.mp4]"),
        ({"xyz.amorgan.blurhash": "L" * 1_000_000, "size": 7}, "[video: a.mp4, 7 bytes]"),
    ],
)
def test_what_a_client_says_of_a_file_that_cannot_be_is_not_told(info: object, described: str) -> None:
    (media,) = of({"msgtype": "m.video", "body": "a.mp4", "info": info})[1]
    assert media.described == described


def test_a_type_and_a_name_are_one_clean_line() -> None:
    info = {"mimetype": "image/png\r\nSet-Cookie: x" + "y" * 500}
    (media,) = of({"msgtype": "m.image", "body": "cat\u202egnp.exe\r\n\x00\u2028b" + "z" * 500, "info": info})[1]
    assert len(media.mime) <= 100
    assert media.name.startswith("catgnp.exe")
    assert len(media.name) <= 100
    assert not set("\r\n\x00\u202e\u2028") & set(media.name + media.mime)


def test_a_caption_has_its_formatting_whom_it_mentions_and_what_it_answers() -> None:
    content = {
        "msgtype": "m.image",
        "filename": "cat.png",
        "url": "mxc://hs/cat",
        "body": "> <@bob:hs> who is that?\n\nduck: *her*",
        "format": HTML,
        "formatted_body": "<mx-reply><blockquote>who is that?</blockquote></mx-reply>duck: <em>her</em>",
        "m.mentions": {"user_ids": ["@bob:hs"]},
        "m.relates_to": {"rel_type": "m.thread", "event_id": "$root", "m.in_reply_to": {"event_id": "$0"}},
    }
    for said_so in (content, {key: value for key, value in content.items() if key != "format"}):
        found = heard(said_so)
        assert found is not None
        body = body_of(found)
        assert plain(body.text) in ("duck: her", "duck: *her*")
        assert (body.called, body.mentions, body.media) == ("duck", ("@bob:hs",), (CAT,))
        assert (body.reply_to, body.thread) == (EventKey(ROOM, "$0"), EventKey(ROOM, "$root"))
    found = heard(content)
    assert found is not None
    assert body_of(found).text == (Span("duck: "), Span("her", Style.ITALIC))


# Whatever anybody may write

_ODD = st.one_of(
    JSON,
    st.text(),
    st.sampled_from(
        ["", "\r\nX: y", "\u202egnp.exe", "x" * 70_000, "-1", 1e400, -1e400, 2**53, 10**400, True, [[]], {"": {}}]
    ),
    st.sampled_from(
        ["mxc://hs/a", "mxc://a:b@hs/a", "mxc://hs:99999999/a", "mxc://../a", "mxc://hs/../a", "mxc://" + "a." * 9999]
    ),
)
_INFO = st.dictionaries(st.sampled_from(["size", "mimetype", "duration", "w", "h", "xyz.amorgan.blurhash"]), _ODD)
_KEY = st.dictionaries(st.sampled_from(["k", "alg", "kty"]), _ODD | st.just("A256CTR") | st.just("A" * 43))
_SEALED = st.fixed_dictionaries(
    {"v": st.just("v2") | _ODD, "url": _ODD, "key": _KEY | _ODD},
    optional={
        "iv": st.just("A" * 22) | _ODD,
        "hashes": st.fixed_dictionaries({"sha256": st.just("A" * 43) | _ODD}) | _ODD,
    },
)
_FILE = st.dictionaries(st.sampled_from(["body", "filename", "url", "org.matrix.msc3245.voice"]), _ODD)
_MEDIA = st.builds(
    lambda file, info, encrypted, kind: {**file, "info": info, "file": encrypted, "msgtype": kind, "itemtype": kind},
    _FILE,
    _INFO | _ODD,
    _SEALED | _ODD,
    st.sampled_from(["m.image", "m.video", "m.audio", "m.file", "m.gallery", "dm.filament.gallery"]) | _ODD,
)
_GALLERY = st.builds(
    lambda media, items: {**media, "msgtype": "m.gallery", "itemtypes": items}, _MEDIA, st.lists(_MEDIA | _ODD)
)


@given(_MEDIA | _GALLERY, st.sampled_from(["m.room.message", "m.sticker"]))
def test_files_of_any_shape_are_nothing_or_bounded_and_clean(content: dict[str, Any], kind: str) -> None:
    relates = {"rel_type": "m.replace", "event_id": "$0"}
    for event in (content, {"m.new_content": content, "m.relates_to": relates}):
        found = heard(event, kind)
        if found is None:
            continue
        assert isinstance(found.body, Message | Edit)
        assert len(found.body.media) <= 20
        for media in found.body.media:
            assert not set("\r\n\x00\u202e") & set(media.name + media.mime + media.described)
            assert max(len(media.name), len(media.mime)) <= 100
            assert media.size is None or 0 <= media.size < 2**53
            assert media.length is None or 0 < media.length <= 7 * 86_400
            assert not media.source or parse(media.source) is not None
            f"{media}".encode()


@pytest.mark.parametrize(
    "content",
    [
        lambda n: gallery([{"itemtype": "m.image"}] * n),
        lambda n: gallery([[]] * n),
        lambda n: {
            "msgtype": "m.image",
            "body": "\u202e" * n,
            "filename": "a\u202e" * n,
            "info": {"mimetype": "\r" * n},
        },
        lambda n: {"msgtype": "m.image", "url": "mxc://" + "a." * n, "body": "x"},
        lambda n: {"msgtype": "m.image", "body": "x", "file": {"url": "mxc://h/a", "v": "v2", "iv": "A=" * n}},
        lambda n: {
            "m.poll": {"question": {"m.text": [{"mimetype": "text/html"}] * n}, "answers": [{"m.text": [{}] * n}] * 20}
        },
        lambda n: {"m.poll": {"question": {"m.text": "q" * n}, "answers": [{"m.text": "\u202e" * n}] * 20}},
    ],
)
def test_a_large_event_costs_some_milliseconds(content: Callable[[int], dict[str, Any]]) -> None:
    kind = "m.poll.start" if "m.poll" in content(1) else "m.room.message"
    heard(content(60_000), kind)  # a square in C would end by the test's time limit
    assert growth(lambda size: heard(content(size), kind), 5000) < 3


def test_a_long_name_is_cut_in_its_middle_and_keeps_its_ending() -> None:
    (found,) = files(
        {"type": "m.room.message"}, {"msgtype": "m.file", "body": "a" * 300 + ".tar.gz", "url": "mxc://hs/a"}
    )
    assert found.name == "a" * 89 + "…" + "aaa.tar.gz"
    (found,) = files({"type": "m.room.message"}, {"msgtype": "m.file", "body": "a" * 100, "url": "mxc://hs/a"})
    assert found.name == "a" * 100
