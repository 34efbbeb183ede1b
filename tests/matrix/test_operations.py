"""The payloads of Matrix posts (bridge.matrix.dialect.operations)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.matrix.dialect.operations import Amend, Moderate, Operation, React, Redact, Say, SetTopic, decode, encode
from bridge.model.event import Act
from bridge.network import PermanentError

_JSON = st.dictionaries(st.text(), st.text() | st.booleans() | st.dictionaries(st.text(), st.text()))


@given(
    st.builds(Say, _JSON)
    | st.builds(React, st.text(), st.text(), st.booleans())
    | st.builds(Amend, st.text(), st.text(), _JSON)
    | st.builds(Redact, st.text(), st.text(), st.text())
    | st.builds(SetTopic, st.text())
    | st.builds(Moderate, st.sampled_from(Act), st.lists(st.text(), max_size=3).map(tuple), st.text(), _JSON)
)
def test_an_operation_is_read_back_as_it_was_frozen(operation: Operation) -> None:
    assert decode(encode(operation)) == operation


@pytest.mark.parametrize(
    "payload",
    [
        '{"msgtype":"m.text","body":"hi","m.mentions":{}}',
        '{"msgtype":"m.text","body":"hi","m.relates_to":{"m.in_reply_to":{"event_id":"$1"}}}',
        '{"op":"say","content":{"msgtype":"m.text","body":"hi"}}',
    ],
)
def test_a_message_that_an_earlier_version_froze_is_sent_unchanged(payload: str) -> None:
    fields = json.loads(payload)
    assert decode(payload) == Say(fields.get("content", fields))


@pytest.mark.parametrize(
    "payload",
    [
        '{"m.relates_to":{"rel_type":"m.annotation","event_id":"$1","key":"+1"}}',
        '{"op":"react","target":"$1","key":"+1"}',
    ],
)
def test_a_reaction_that_an_earlier_version_froze_is_sent_unchanged(payload: str) -> None:
    assert decode(payload) == React("$1", "+1")


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
        '{"op":"amend","target":"$1","part":"a","content":[]}',
        '{"op":"topic","text":1}',
        "[" * 100_000,
        '{"op":"say","content":1}',
        "1",
    ],
)
def test_a_payload_that_cannot_be_read_is_a_dead_letter(payload: str) -> None:
    with pytest.raises(PermanentError):
        decode(payload)
