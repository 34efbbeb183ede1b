"""The operations of IRC posts as payloads (bridge.irc.dialect.operations)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.irc.dialect.operations import Moderate, Operation, React, Redact, Say, SetTopic, decode, encode
from bridge.model.event import Act
from bridge.network import PermanentError

_TEXT = st.text(max_size=40)
_OPERATIONS: st.SearchStrategy[Operation] = st.one_of(
    st.builds(Say, st.sampled_from(("PRIVMSG", "NOTICE")), _TEXT, _TEXT, st.just(0), _TEXT),
    st.builds(React, _TEXT, _TEXT, _TEXT, st.booleans()),
    st.builds(Redact, _TEXT, _TEXT, _TEXT),
    st.builds(SetTopic, _TEXT, _TEXT),
    st.builds(Moderate, st.sampled_from(Act), _TEXT, _TEXT, _TEXT, _TEXT, _TEXT, _TEXT),
)


@given(_OPERATIONS)
def test_an_operation_is_read_back_as_what_it_was(operation: Operation) -> None:
    assert decode(encode(operation)) == operation


def test_a_message_that_answers_nothing_is_stored_as_older_versions_read_it() -> None:
    assert set(json.loads(encode(Say("PRIVMSG", "#pond", "<Ann> hi", 6)))) == {
        "op",
        "command",
        "target",
        "text",
        "head",
    }


@pytest.mark.parametrize(
    "payload",
    [
        '{"op":"react","target":"#pond","msgid":"1"}',
        '{"op":"react","target":"#pond","msgid":1,"key":"+1","removed":false}',
        '{"op":"redact","target":"#pond"}',
        '{"op":"topic","target":"#pond","text":null}',
        '{"op":"kick","command":"PRIVMSG","target":"#pond","text":"bob"}',
        "[" * 100_000,
    ],
)
def test_an_operation_that_is_not_whole_or_not_known_is_a_dead_letter(payload: str) -> None:
    with pytest.raises(PermanentError):
        decode(payload)


@pytest.mark.parametrize("head", [-1, 99, "6", None])
def test_a_mark_longer_than_the_line_is_no_mark(head: object) -> None:
    payload = {"op": "say", "command": "PRIVMSG", "target": "#pond", "text": "<Ann> hi", "head": head}
    assert decode(json.dumps(payload)) == Say("PRIVMSG", "#pond", "<Ann> hi")
