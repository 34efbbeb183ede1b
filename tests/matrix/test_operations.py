"""The payloads of Matrix posts (bridge.matrix.dialect.operations)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.matrix.dialect.operations import ID, Operation, React, Say, decode, encode, request
from bridge.model.event import Room
from bridge.model.outbox import Post
from bridge.network import PermanentError

ROOM = Room("home", "#pond:hs")
_JSON = st.dictionaries(st.text(), st.text() | st.booleans() | st.dictionaries(st.text(), st.text()))


@given(st.builds(Say, _JSON) | st.builds(React, st.text(), st.text()))
def test_an_operation_is_read_back_as_it_was_frozen(operation: Operation) -> None:
    assert decode(encode(operation)) == operation


def test_a_post_is_sent_with_its_id_whatever_its_text_is() -> None:
    post = Post.of(ROOM, ("d",), 0, encode(Say({"msgtype": "m.text", "body": '"}'})))
    event_type, content = request(post)
    assert (event_type, json.loads(content)) == ("m.room.message", {"msgtype": "m.text", "body": '"}', ID: post.id})


@pytest.mark.parametrize(
    ("payload", "event_type"),
    [
        ('{"msgtype":"m.text","body":"hi","m.mentions":{}}', "m.room.message"),
        ('{"msgtype":"m.text","body":"hi","m.relates_to":{"m.in_reply_to":{"event_id":"$1"}}}', "m.room.message"),
        ('{"m.relates_to":{"rel_type":"m.annotation","event_id":"$1","key":"+1"}}', "m.reaction"),
    ],
)
def test_a_post_that_an_earlier_version_froze_is_sent_unchanged_with_its_id(payload: str, event_type: str) -> None:
    post = Post.of(ROOM, ("d",), 0, payload)
    found, content = request(post)
    assert (found, json.loads(content)) == (event_type, json.loads(payload) | {ID: post.id})


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"op":"say"}',
        '{"op":"redact","content":{"body":"hi"}}',
        '{"op":"say","content":1}',
        "1",
    ],
)
def test_a_payload_that_cannot_be_read_is_a_dead_letter(payload: str) -> None:
    with pytest.raises(PermanentError):
        decode(payload)
