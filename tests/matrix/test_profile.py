"""Profiles, pictures and mentions of carried messages (bridge.matrix.dialect)."""

import re
import struct
import zlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.matrix.dialect.mentions import MOST, name
from bridge.matrix.dialect.operations import Amend, Say, decode
from bridge.matrix.dialect.picture import picture
from bridge.matrix.dialect.place import Place
from bridge.matrix.dialect.profile import PROFILE, profile_id
from bridge.matrix.dialect.render import render
from bridge.model.casemap import Casemapping
from bridge.model.event import Edit, Event, Kind, Mentioned, Message, Origin
from bridge.model.outbox import Owed
from bridge.model.people import Identity, Proof, Sender
from bridge.model.presentation import Presentation
from bridge.model.text import Span, Style, plain, words
from tests.matrix.test_render import BOB, FAR, ROOM
from tests.matrix.test_render_bodies import TARGET, known
from tests.matrix.test_render_bodies import owed as owes

_PEOPLE = {"alice": "@alice:hs", "little duck": "@duck2:hs", "bob": "@bob:hs", "@alice:hs": "@alice:hs"}
_USER = replace(BOB, user="bob")
_FALLBACK = re.compile(r'<strong\s+data-mx-profile-fallback(?:="")?\s*>([^<]+): </strong\s*>')
"""What clients leave out of the HTML (MSC4144, "HTML fallback")."""


def who(called: str) -> str | None:
    return _PEOPLE.get(called.lower())


def content(event_body: Message, sender: Sender = BOB, place: Place | None = None, **more: Any) -> dict[str, Any]:
    event = Event("$1", FAR, sender, 0.0, event_body, **more)
    (post,) = render([Owed("d", ROOM, event)], place or Place(who=who, picture=lambda _: "mxc://hs/1"))
    operation = decode(post.payload)
    assert isinstance(operation, Say)
    return dict(operation.content)


def test_a_carried_message_has_the_name_and_picture_of_who_said_it() -> None:
    said = content(Message(words("hi\nthere")))
    assert said[PROFILE] == {
        "id": profile_id(BOB),
        "displayname": "bob",
        "avatar_url": "mxc://hs/1",
        "has_fallback": True,
    }
    assert said["body"] == "<bob> hi\n<bob> there"
    assert _FALLBACK.sub("", said["formatted_body"]) == "hi<br>there"
    assert _FALLBACK.findall(said["formatted_body"]) == ["&lt;bob&gt;"] * 2
    guest = content(Message(words("hi")), replace(BOB, note="guest"), Place())
    assert guest[PROFILE] == {"id": profile_id(BOB), "displayname": "bob (guest)", "has_fallback": True}


def test_an_action_keeps_the_name_in_its_sentence() -> None:
    said = content(Message(words("waves"), Kind.ACTION))
    assert "has_fallback" not in said[PROFILE]
    assert said["formatted_body"] == "* <strong>bob</strong> waves"


def test_our_own_words_and_private_ones_have_no_profile_and_neither_has_anybody_if_it_is_off() -> None:
    assert PROFILE not in content(Message(words("hi")), private=True)
    assert PROFILE not in content(Message(words("hi")), origin=Origin.OURS)
    off = content(Message(words("hi")), place=Place(Presentation(profiles=False)))
    assert PROFILE not in off
    assert off["formatted_body"] == "<strong>&lt;bob&gt;</strong> hi"


def test_an_edit_has_the_profile_of_its_message() -> None:
    (post,) = render([owes(Edit(TARGET, words("x")), known("$1"))], Place())
    operation = decode(post.payload)
    assert isinstance(operation, Amend)
    assert operation.content[PROFILE] == {"id": profile_id(BOB), "displayname": "bob", "has_fallback": True}


def test_a_person_has_one_id_on_a_network_however_the_nick_is_written() -> None:
    upper = Sender("far", "BOB[", "BOB[", casemapping=Casemapping.RFC1459)
    lower = Sender("far", "bob{", "other", casemapping=Casemapping.RFC1459)
    assert profile_id(upper) == profile_id(lower) != profile_id(replace(lower, network="near"))


@given(st.text(max_size=30))
def test_a_picture_is_a_small_png_that_is_the_same_each_time(person: str) -> None:
    data = picture(person)
    assert data == picture(person)
    assert len(data) < 1000
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, kinds, pixels = 8, [], b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + body)
        kinds.append(kind)
        pixels += body if kind == b"IDAT" else b""
        at += 12 + size
    assert kinds == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    assert len(zlib.decompress(pixels)) == 96 * 97


def test_people_have_different_pictures() -> None:
    assert len({picture(str(number)) for number in range(100)}) > 95


@pytest.mark.parametrize(
    ("text", "pills"),
    [
        ("alice: look", ["alice"]),
        ("ALICE, look", ["ALICE"]),
        ("  Little Duck: quack", ["Little Duck"]),
        ("hi\nalice: look", ["alice"]),
        ("well, @alice, look at @Bob.", ["@alice", "@Bob"]),
        ("see @alice:hs!", ["@alice:hs"]),
        ("@alice: look", ["@alice"]),
        ("alice look", []),
        ("alice:look", []),
        ("http://alice: x", []),
        ("mail@alice", []),
        ("> @alice: look", []),
        ("@room hello", []),
        ("carol: look", []),
    ],
)
def test_people_who_are_spoken_to_become_pills(text: str, pills: list[str]) -> None:
    found = name(words(text), who, "bob")
    assert plain(found.text) == text
    linked = [span for span in found.text if span.mention]
    assert [span.text for span in linked] == pills
    assert {span.mention for span in linked} == {*found.users}


def test_only_users_mention_others_and_never_the_room_or_themselves() -> None:
    said = content(Message(words("alice: look, @room and @bob")), replace(_USER, address="@bob:hs"))
    assert said["m.mentions"] == {"user_ids": ["@alice:hs"]}
    assert '<a href="https://matrix.to/#/@alice:hs">alice</a>: look, @room' in said["formatted_body"]
    for sender, private in ((BOB, False), (replace(_USER, bot=True), False), (_USER, True)):
        silent = content(Message(words("alice: look")), sender, private=private)
        assert silent["m.mentions"] == {}
        assert "matrix.to" not in silent.get("formatted_body", "")


def test_a_pill_of_another_network_mentions_who_is_in_the_room_and_stays_a_pill() -> None:
    text = (Span("Al", mention="@alice:hs"), Span(" and "), Span("Dan", mention="@dan:hs"))
    said = content(Message(text), _USER)
    assert said["m.mentions"] == {"user_ids": ["@alice:hs"]}
    for user, called in (("@alice:hs", "Al"), ("@dan:hs", "Dan")):
        assert f'<a href="https://matrix.to/#/{user}">{called}</a>' in said["formatted_body"]
    assert content(Message(text))["m.mentions"] == {}


def test_a_user_who_is_called_by_their_name_elsewhere_is_mentioned_by_the_matrix_id() -> None:
    identities = (Identity(Proof.IRC, "far", "al"), Identity(Proof.MATRIX, "", "@alice:hs"))
    mentioned = (
        Mentioned("Al[", "alice", identities),
        Mentioned("dan", "dan", (Identity(Proof.MATRIX, "", "@dan:x"),)),
    )
    sender = replace(_USER, casemapping=Casemapping.RFC1459)
    said = content(Message(words("al{: look, @dan")), sender, mentioned=mentioned)
    assert said["m.mentions"] == {"user_ids": ["@alice:hs"]}


def test_an_edit_mentions_nobody() -> None:
    (post,) = render([owes(Edit(TARGET, words("alice: x")), known("$1"), who=_USER)], Place(who=who))
    operation = decode(post.payload)
    assert isinstance(operation, Amend)
    assert operation.content["m.mentions"] == {}


def test_code_spoilers_and_links_name_nobody() -> None:
    for span in (Span("@alice", Style.MONO), Span("@alice", Style.SPOILER), Span("@alice", link="https://x.y")):
        assert name((span,), who, "bob").users == ()


def test_few_people_are_named_by_one_message_and_few_words_looked_up() -> None:
    asked: list[str] = []

    def everybody(called: str) -> str | None:
        asked.append(called)
        return f"@{called.strip('@')}:hs"

    assert len(name(words(" ".join(f"@p{number}" for number in range(5000))), everybody, "bob").users) == MOST
    assert len(asked) <= 200


@given(st.lists(st.text(st.sampled_from("alice:,@ \n>b")) | st.just("alice: "), max_size=6))
def test_naming_people_never_changes_the_words(texts: list[str]) -> None:
    spans = tuple(Span(text, Style(number % 2)) for number, text in enumerate(texts))
    assert plain(name(spans, who, "bob").text) == "".join(texts)
