"""What events of a transaction mean for a room of two (bridge.matrix.ghosts.talks.transactions)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.matrix.ghosts.talks import transactions
from bridge.matrix.ghosts.talks.rooms import Do, Errand, TalkRoom
from bridge.matrix.ghosts.talks.transactions import Named, Over, Spoken, Transactions, invitation, meaning
from bridge.matrix.ghosts.talks.words import CROWD

_ALICE, _GHOST, _EVE = "@alice:hs", "@irc_libera_bob:hs", "@eve:hs"
_ROOM = TalkRoom("!talk", _ALICE, _GHOST)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
_KEYS = st.sampled_from(["type", "sender", "room_id", "event_id", "state_key", "content", "unsigned", "redacts"])
_WORDS = st.sampled_from(["m.room.member", "m.room.message", "m.room.tombstone", "m.room.encrypted", _ALICE, _GHOST])
_EVENTS = st.dictionaries(_KEYS, _JSON | _WORDS | st.dictionaries(st.just("membership"), st.just("invite")))


def _is_ghost(user: str) -> bool:
    return user.startswith("@irc_")


def _event(kind: str, sender: str, content: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": kind, "sender": sender, "room_id": "!talk", "event_id": "$1", "content": content, **more}


def _member(user: str, membership: str, by: str = "", **more: Any) -> dict[str, Any]:
    content = {"membership": membership, **more}
    return _event("m.room.member", by or user, content, state_key=user)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"events":{}}', b'"events"', b"\xff\xfe", b'{"events":' + b"[" * 200_000]
)
def test_what_is_no_transaction_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        transactions.events(body)


def test_what_is_no_event_is_left_out() -> None:
    assert transactions.events(b'{"events": [1, null, {"a": 1}, "x", []], "more": 1}') == [{"a": 1}]


def test_a_transaction_is_known_by_number_and_content() -> None:
    known = Transactions()
    known.add("1", b"one")
    assert known.knows("1", b"one")
    assert not known.knows("1", b"two")
    assert not known.knows("2", b"one")


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (_member(_ALICE, "join", displayname="Al"), Named("Al")),
        (_member(_ALICE, "leave"), Over()),
        (_member(_ALICE, "ban", _EVE), Over()),
        (_member(_ALICE, "invite", _GHOST), None),
        (_member(_GHOST, "join"), None),
        (_member(_GHOST, "leave"), None),
        (_member(_GHOST, "invite", _ALICE), None),
        (_member(_GHOST, "leave", _ALICE, reason="go\naway"), Over(removed="removed by @alice:hs: go away")),
        (_member(_GHOST, "ban", _ALICE), Over(removed="banned by @alice:hs")),
        (_member(_GHOST, "leave", "@admin:hs"), Over()),
        (_member(_EVE, "invite", _ALICE), Over(CROWD)),
        (_member(_EVE, "join"), Over(CROWD)),
        (_member(_EVE, "leave"), None),
        (_event("m.room.encryption", _ALICE, {"algorithm": "x"}, state_key=""), Over("sealed")),
        (_event("m.room.encrypted", _ALICE, {"ciphertext": "x"}), Over("sealed")),
        (_event("m.room.encrypted", _EVE, {"ciphertext": "x"}), None),
        (_event("m.room.tombstone", _ALICE, {"replacement_room": "!new"}, state_key=""), Over()),
        (_event("m.room.name", _ALICE, {"name": "x"}, state_key=""), None),
        (_event("m.room.message", _EVE, {"body": "x"}), None),
        (_event("m.room.message", _GHOST, {"body": "x"}), None),
    ],
)
def test_what_happens_in_a_room_of_two(event: dict[str, Any], expected: object) -> None:
    assert meaning(event, _ROOM, "sealed") == expected


def test_what_the_member_says_is_heard() -> None:
    event = _event("m.room.message", _ALICE, {"body": "x"})
    assert meaning(event, _ROOM, "sealed") == Spoken(event)


def test_an_invitation_of_a_ghost_is_answered_and_no_other_is() -> None:
    invited = _member(_GHOST, "invite", _ALICE, is_direct=True)
    assert invitation(invited, _is_ghost) == Errand("!talk", _GHOST, Do.ANSWER, _ALICE, direct=True)
    shown = [_event("m.room.encryption", "", {"algorithm": "x"}, state_key="")]
    found = invitation({**invited, "unsigned": {"invite_room_state": shown}}, _is_ghost)
    assert found is not None
    assert found.encrypted
    public = [_event("m.room.join_rules", "", {"join_rule": "public"}, state_key="")]
    crowd = {**_member(_GHOST, "invite", _ALICE), "unsigned": {"invite_room_state": public}}
    found = invitation(crowd, _is_ghost)
    assert found is not None
    assert not found.direct
    assert invitation(_member(_EVE, "invite", _ALICE), _is_ghost) is None
    assert invitation(_member(_GHOST, "invite", "@irc_libera_eve:hs"), _is_ghost) is None
    assert invitation(_member(_GHOST, "join", _ALICE), _is_ghost) is None
    assert invitation({**invited, "room_id": 5}, _is_ghost) is None


@given(_EVENTS)
def test_any_event_means_something_or_nothing(event: dict[str, Any]) -> None:
    meaning(event, _ROOM, "sealed")
    invitation(event, _is_ghost)
    assert transactions.events(json.dumps({"events": [event]}).encode()) == [event]
