"""Sync responses to values (bridge.matrix.dialect.sync)."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.matrix.dialect.fields import Json
from bridge.matrix.dialect.sync import (
    Encryption,
    ForDevice,
    Invitation,
    Membership,
    PowerLevels,
    Replacement,
    RoomNews,
    Said,
    Sealed,
    Uncarried,
    entries,
    read,
    unsealed,
)
from bridge.matrix.dialect.verification import Verification

_US = "@duck:hs"
_HI = {"type": "m.room.message", "sender": "@ann:hs", "event_id": "$1", "origin_server_ts": 2000, "content": {}}
_BANNED = {
    "type": "m.room.member",
    "state_key": _US,
    "sender": "@op:hs",
    "origin_server_ts": 1000,
    "content": {"membership": "ban", "reason": "noise"},
}


def test_a_joined_room_gives_its_messages_its_changes_and_the_token_of_its_gap() -> None:
    timeline = {"limited": True, "prev_batch": "t0", "events": [_HI, _BANNED]}
    state = {"events": [{"type": "m.room.encryption", "state_key": ""}]}
    found = read({"next_batch": "t1", "rooms": {"join": {"!pond": {"timeline": timeline, "state": state}}}}, _US)
    banned = Membership(_US, "ban", "", "@op:hs", "noise", _BANNED)
    news = RoomNews("!pond", (Encryption(),), "t0", (Said("$1", "@ann:hs", _HI), banned), 1.0)
    assert (found.next_batch, found.joined, found.left, found.invited) == ("t1", (news,), (), ())


def test_a_timeline_without_a_gap_gives_no_token() -> None:
    timeline = {"limited": False, "prev_batch": "t0", "events": []}
    (news,) = read({"rooms": {"leave": {"!pond": {"timeline": timeline}}}}, _US).left
    assert news == RoomNews("!pond", (), "", (), math.inf)


def test_an_invitation_gives_its_sender_and_whether_it_is_direct_and_encrypted() -> None:
    member = {"type": "m.room.member", "sender": "@ann:hs", "state_key": _US}
    direct = member | {"content": {"membership": "invite", "is_direct": True}}
    other = member | {"state_key": "@bob:hs"}
    everybody, invited = (
        {"type": "m.room.join_rules", "content": {"join_rule": rule}} for rule in ("public", "invite")
    )
    alias = {"type": "m.room.canonical_alias", "content": {"alias": "#many:hs"}}
    rooms = {
        "!two": {"invite_state": {"events": [other, direct]}},
        "!named": {"invite_state": {"events": [member, {"type": "m.room.name", "content": {"name": "Kim"}}, invited]}},
        "!open": {"invite_state": {"events": [member, everybody]}},
        "!alias": {"invite_state": {"events": [alias, member]}},
        "!unmarked": {"invite_state": {"events": [member]}},
        "!secret": {"invite_state": {"events": [direct, {"type": "m.room.encryption"}]}},
        "!odd": [],
    }
    assert read({"rooms": {"invite": rooms}}, _US).invited == (
        Invitation("!two", "@ann:hs", direct=True, encrypted=False),
        Invitation("!named", "@ann:hs", direct=True, encrypted=False),
        Invitation("!open", "@ann:hs", direct=False, encrypted=False),
        Invitation("!alias", "@ann:hs", direct=False, encrypted=False),
        Invitation("!unmarked", "@ann:hs", direct=True, encrypted=False),
        Invitation("!secret", "@ann:hs", direct=True, encrypted=True),
        Invitation("!odd", "", direct=True, encrypted=False),
    )


@pytest.mark.parametrize("kind", ["m.room.message", "m.sticker", "m.reaction", "m.room.redaction", "m.room.topic"])
def test_what_people_say_and_do_keeps_its_whole_event(kind: str) -> None:
    event = _HI | {"type": kind, "state_key": ""}
    assert entries([event]) == (Said("$1", "@ann:hs", event),)


def test_events_of_other_types_and_events_without_sender_or_type_are_skipped() -> None:
    tombstone = {"type": "m.room.tombstone", "content": {"replacement_room": "!new"}, "sender": "@ann:hs"}
    nobodys: list[Json] = [{"type": kind} for kind in ("m.poll", "m.reaction", "m.room.topic", 7)]
    odd: list[Json] = [*nobodys, {"type": "m.room.message", "sender": "@ann:hs"}, {}]
    found = entries([*odd, tombstone | {"state_key": ""}, {"type": "m.room.encrypted"}])
    assert found == (Replacement("!new", "@ann:hs"),)


def test_what_is_sealed_keeps_its_whole_event_unless_it_was_removed() -> None:
    event = _HI | {"type": "m.room.encrypted", "content": {"ciphertext": "x"}}
    assert entries([event, event | {"content": {}}]) == (Sealed("$1", "@ann:hs", event),)


def test_within_a_sealed_event_there_is_no_state_and_no_removal() -> None:
    event = _HI | {"content": {"x": 1}}
    for kind in ("m.room.member", "m.room.power_levels", "m.room.topic", "org.example.x"):
        expected = Uncarried("$1", "@ann:hs", "not a kind of event that is carried")
        assert unsealed(event | {"type": kind}) == expected
    assert unsealed(event | {"type": "m.room.redaction"}) is None
    assert unsealed(event | {"type": "m.room.message"}) == Said("$1", "@ann:hs", event | {"type": "m.room.message"})


@pytest.mark.parametrize(
    ("response", "device"),
    [
        ({}, ForDevice()),
        ({"device_one_time_keys_count": {}}, ForDevice(one_time_keys=0)),
        ({"device_one_time_keys_count": {"signed_curve25519": 7}}, ForDevice(one_time_keys=7)),
        ({"device_one_time_keys_count": {"signed_curve25519": "7"}}, ForDevice(one_time_keys=0)),
        ({"device_one_time_keys_count": 7}, ForDevice()),
        ({"device_unused_fallback_key_types": []}, ForDevice(needs_fallback=True)),
        ({"device_unused_fallback_key_types": ["signed_curve25519"]}, ForDevice()),
        ({"device_lists": {"changed": ["@a:hs", 1], "left": ["@b:hs"]}}, ForDevice(changed=("@a:hs", "@b:hs"))),
        ({"device_lists": {"changed": "@a:hs"}, "to_device": {"events": [{}, None, 1]}}, ForDevice(({},))),
    ],
)
def test_what_a_sync_tells_our_device_may_be_malformed(response: Json, device: ForDevice) -> None:
    assert read(response, _US).device == device


def test_an_event_of_a_kind_that_is_not_carried_is_counted_under_few_reasons_whatever_its_type() -> None:
    event = {"event_id": "$1", "sender": "@ann:hs", "content": {"x": 1}}
    unknown = "not a kind of event that is carried"
    assert entries([event | {"type": "m.beacon"}]) == (Uncarried("$1", "@ann:hs", f"{unknown}: m.beacon"),)
    made_up = [event | {"type": f"org.example.{number}"} for number in range(1000)]
    assert {entry.reason for entry in entries(made_up) if isinstance(entry, Uncarried)} == {unknown}
    assert len(entries(made_up)) == 1000


def test_state_signals_between_clients_and_redacted_events_are_no_refused_messages() -> None:
    event = {"event_id": "$1", "sender": "@ann:hs", "content": {"x": 1}}
    quiet: list[Json] = [
        event | {"type": "m.room.name", "state_key": ""},
        event | {"type": "org.example.state", "state_key": "x"},
        event | {"type": "m.call.candidates"},
        event | {"type": "m.key.verification.ready", "state_key": ""},
        event | {"type": "m.key.verification.ready", "sender": None},
        event | {"type": "m.beacon", "content": {}},
        event | {"type": "m.poll.response"},
        event | {"type": "org.matrix.msc3381.poll.response"},
        event | {"type": "m.beacon", "sender": None},
        event | {"type": "m.poll.start", "sender": None},
    ]
    assert entries(quiet) == ()


def test_power_levels_and_who_announced_a_new_room_are_read() -> None:
    state = {"state_key": "", "sender": "@ann:hs", "event_id": "$1"}
    levels = state | {"type": "m.room.power_levels", "content": {"redact": 7}}
    new = state | {"type": "m.room.tombstone", "content": {"replacement_room": "!new"}}
    found = (PowerLevels({"redact": 7}), Replacement("!new", "@ann:hs", "$1"))
    assert entries([levels, new, levels | {"state_key": "x"}]) == found
    assert found[1].via == "hs"
    assert entries([levels | {"content": 7}]) == (PowerLevels({}),)


def test_an_invitation_gives_the_room_that_it_claims_to_replace() -> None:
    create = {"type": "m.room.create", "content": {"predecessor": {"room_id": "!old"}}}
    (invited,) = read({"rooms": {"invite": {"!new": {"invite_state": {"events": [create]}}}}}, _US).invited
    assert invited.predecessor == "!old"


@pytest.mark.parametrize(
    "kind", ["m.room.tombstone", "m.room.encryption", "m.room.member", "m.room.topic", "m.room.power_levels"]
)
def test_an_event_that_is_no_state_changes_nothing_in_the_room(kind: str) -> None:
    content = {"replacement_room": "!new", "membership": "join"}
    event: dict[str, object] = {"type": kind, "content": content, "sender": "@ann:hs", "event_id": "$1"}
    assert entries([event, event | {"state_key": None}, event | {"state_key": 7}]) == ()
    if kind != "m.room.member":
        assert entries([event | {"state_key": "x"}]) == ()


_KEYS = ("user_ids", "rooms", "join", "leave", "invite", "timeline", "state", "events", "limited", "type", "content")
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=30,
)
_EVENT = st.fixed_dictionaries({}, optional={"type": st.just("m.room.member") | _JSON, "content": _JSON})
_TYPING = st.fixed_dictionaries({"type": st.just("m.typing"), "content": st.fixed_dictionaries({"user_ids": _JSON})})
_EPHEMERAL = _JSON | st.fixed_dictionaries({"events": st.lists(_TYPING | _JSON)})
_ROOM = st.fixed_dictionaries(
    {"timeline": st.fixed_dictionaries({"events": st.lists(_EVENT)})}, optional={"ephemeral": _EPHEMERAL}
)
_ROOMS = st.dictionaries(st.text(max_size=3), _ROOM) | _JSON
_RESPONSE = st.fixed_dictionaries({"rooms": st.fixed_dictionaries({"join": _ROOMS, "invite": _ROOMS})})


@given(_JSON | _RESPONSE)
def test_any_json_that_a_homeserver_answers_is_read_without_an_error(response: object) -> None:
    if isinstance(response, dict):
        found = read(response, _US)
        rooms = response.get("rooms")
        joined = rooms.get("join") if isinstance(rooms, dict) else None
        assert all(isinstance(user, str) for news in found.joined for user in news.typing or ())
        assert [news.id for news in found.joined] == [*joined] if isinstance(joined, dict) else not found.joined


@pytest.mark.parametrize("read", [lambda event: entries([event])[0], unsealed])
def test_what_clients_say_to_compare_emoji_is_not_said_to_people(read: Callable[[Json], object]) -> None:
    asked = {"msgtype": "m.key.verification.request", "body": "@ann:hs wants to verify you", "to": "@duck:hs"}
    for kind, content in (("m.room.message", asked), ("m.key.verification.start", {"x": 1})):
        event: Json = {"event_id": "$1", "sender": "@ann:hs", "type": kind, "content": content}
        assert read(event) == Verification("$1", "@ann:hs", event)
