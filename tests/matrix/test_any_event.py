"""Room events of any shape become nothing, or events that can be stored (bridge.matrix.dialect)."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.matrix.dialect.content import beginning, is_long
from bridge.model.event import Event, Kind, Message
from bridge.model.text import plain
from tests.matrix.heard import HTML, heard, said
from tests.strategies import with_runs

_LONGEST = 64 * 1024 + 100
"""Bytes of a text: what an event may have, and the words around the name of a file."""
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | with_runs(st.text()) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
_TYPES = st.sampled_from(
    [
        "m.room.message",
        "m.sticker",
        "m.reaction",
        "m.room.redaction",
        "m.room.topic",
        "m.room.member",
        "m.poll.start",
        "org.matrix.msc3381.poll.start",
    ]
)
_RELATIONS = st.sampled_from(["m.replace", "m.annotation", "m.thread", "m.reference", "m.in_reply_to"])
_KNOWN = st.sampled_from(
    [
        "m.text",
        "m.image",
        "m.video",
        "m.gallery",
        "m.emote",
        HTML,
        "> <@a:hs> b\n\nc",
        "mxc://a/b",
        "$0",
        "@a:hs",
        "join",
    ]
)
_VALUE = _JSON | _KNOWN | _RELATIONS
_RELATES = st.dictionaries(
    st.sampled_from(["rel_type", "m.in_reply_to", "event_id", "is_falling_back", "key"]),
    _VALUE | st.fixed_dictionaries({"event_id": _VALUE}),
)
_RELATED = st.fixed_dictionaries({"rel_type": _RELATIONS, "event_id": _KNOWN | _JSON}, optional={"key": _VALUE})
_KEYS = [
    "msgtype",
    "body",
    "format",
    "formatted_body",
    "m.relates_to",
    "m.new_content",
    "m.mentions",
    "filename",
    "geo_uri",
    "reason",
    "redacts",
    "topic",
    "m.topic",
    "shortcode",
    "com.beeper.reaction.shortcode",
    "membership",
    "displayname",
    "url",
    "file",
    "info",
    "itemtypes",
    "m.text",
    "org.matrix.msc1767.text",
    "m.poll",
    "org.matrix.msc3381.poll.start",
]
_CONTENT = st.dictionaries(
    st.sampled_from(_KEYS), _VALUE | _RELATES | st.fixed_dictionaries({"user_ids": st.lists(_VALUE)})
)
_WITH_RELATION = st.builds(lambda a, b: a | {"m.relates_to": b}, _CONTENT, _RELATED)
_EDIT = st.builds(lambda a, b: a | {"m.new_content": b}, _WITH_RELATION, _CONTENT)
_ANY = _JSON | _CONTENT | _WITH_RELATION | _EDIT


def _checked(found: Event | None) -> None:
    """`found` can be stored, is bounded, and shows something if it is a message."""
    if found is None:
        return
    assert len(plain(found.text).encode()) <= _LONGEST
    for key in found.refers:
        assert 0 < len(key.id.encode()) <= 255
    if isinstance(found.body, Message):
        assert len(found.body.mentions) <= 50
        assert plain(found.text).strip() or found.body.kind is Kind.ACTION


@given(_TYPES | _JSON, _ANY, _JSON | st.fixed_dictionaries({"prev_content": _ANY}))
def test_an_event_of_any_shape_is_nothing_or_an_event_that_is_bounded_and_can_be_stored(
    kind: str, content: object, unsigned: object
) -> None:
    _checked(heard(content, kind, unsigned=unsigned, state_key=""))
    event = {"type": kind, "content": content}
    assert is_long(event) in (True, False)
    _checked(heard(beginning(event)["content"], kind))


@given(_JSON)
def test_event_fields_of_any_type_do_not_raise(value: object) -> None:
    found = heard(said("x"), event_id=value, origin_server_ts=value, sender=value)
    assert found is not None
    found.id.encode()
