"""Sealing and opening (bridge.matrix.crypto.olm.machine): whose words are opened, and what outlives a restart."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.matrix.crypto.olm.machine import Machine
from bridge.matrix.crypto.olm.opened import NoKey, NotOpened, Unproven
from bridge.matrix.crypto.rows import Rows
from bridge.matrix.dialect.fields import table, word
from bridge.matrix.rooms.encrypted import Period
from tests.fakes.memory import Notebook
from tests.matrix.crypto.parties import ROOM, Party, two
from tests.matrix.test_power import JSON


async def test_what_is_sealed_is_opened_with_its_type_and_what_it_relates_to() -> None:
    ann, duck = await two()
    relation: Any = {"m.in_reply_to": {"event_id": "$0"}}
    event = ann.say("hello", **{"m.relates_to": relation})
    assert "hello" not in str(event)
    assert event["content"]["m.relates_to"] == relation
    opened = duck.machine.inbound.open(ROOM, event)
    assert (opened["type"], opened["sender"], opened["event_id"]) == ("m.room.message", "@ann:hs", "$1")
    assert opened["content"] == {"msgtype": "m.text", "body": "hello", "m.relates_to": relation}


async def test_words_are_not_opened_under_another_name_nor_from_a_device_that_nobody_knows() -> None:
    ann, duck = await two()
    carol = await Party("@carol:hs").begin()
    duck.learn(carol)
    event = ann.say("I am carol")
    with pytest.raises(Unproven):
        duck.read(event | {"sender": "@carol:hs"})
    assert duck.read(event) == "I am carol"
    stranger = await Party("@ann:hs", "S").begin()
    duck.hear(stranger.give_key(duck))
    with pytest.raises(Unproven):
        duck.read(stranger.say("I am ann's other device", "$2"))
    duck.learn(ann, stranger)
    assert duck.read(stranger.say("now I am", "$3")) == "now I am"


async def test_the_last_words_of_a_device_that_its_owner_has_removed_are_opened() -> None:
    ann, duck = await two()
    duck.learn(await Party("@ann:hs", "NEW").begin())
    assert duck.machine.devices.receivers(["@ann:hs"]) == [("@ann:hs", "NEW")]
    assert duck.read(ann.say("bye")) == "bye"


async def test_not_all_devices_that_somebody_ever_had_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.matrix.crypto.olm.known_devices._GONE", 2)
    duck = await Party("@duck:hs").begin()
    for number in range(6):
        duck.learn(await Party("@ann:hs", f"D{number}").begin())
    assert duck.machine.devices.receivers(["@ann:hs"]) == [("@ann:hs", "D5")]
    later = await _restarted(duck)
    known = later.machine._olm.device_store["@ann:hs"]
    assert ([*known], len(duck.rows.of("device"))) == (["D3", "D4", "D5"], 3)


async def test_a_message_for_a_device_that_could_not_be_sent_is_sent_later() -> None:
    _, duck, event = await _without_its_key()
    duck.machine.inbound.ask_for(ROOM, event)
    first = next(duck.machine.outgoing())
    assert [*duck.machine.outgoing()] == [first]
    assert not duck.machine.has_mail


async def test_a_device_never_gets_other_keys() -> None:
    ann, duck = await two()
    impostor = await Party("@ann:hs").begin()
    duck.learn(impostor)
    assert duck.machine.devices.receivers(["@ann:hs"]) == []
    duck.hear(impostor.give_key(duck))
    with pytest.raises(Unproven):
        duck.read(impostor.say("I am ann", "$2"))
    duck.learn(ann)
    assert duck.machine.devices.receivers(["@ann:hs"]) == [ann.pair]


async def test_somebody_who_passes_on_the_key_of_another_makes_nobodys_words_their_own_or_unreadable() -> None:
    ann, duck = await two()
    eve = await Party("@eve:hs").begin()
    eve.learn(ann)
    eve.hear(ann.give_key(duck, eve))
    eve.learn(duck)
    (events,) = [eve.give_key(duck)]
    duck.hear(events)
    event = ann.say("mine", "$2")
    assert duck.read(event) == "mine"
    with pytest.raises(Unproven):
        duck.read(event | {"sender": "@eve:hs", "event_id": "$3"})


@pytest.mark.parametrize(("name", "claimed"), [("ed25519", "another"), ("forwarding_chain", ["another"])])
async def test_a_key_that_claims_to_be_of_another_device_or_was_passed_on_proves_nothing(
    name: str, claimed: object
) -> None:
    ann, duck = await two()
    event = ann.say("x")
    (session,) = duck.machine._olm.inbound_group_store.of(ROOM, event["content"]["session_id"])
    setattr(session, name, claimed)
    with pytest.raises(Unproven):
        duck.read(event)


async def test_what_says_inside_that_it_is_for_another_room_is_not_opened() -> None:
    ann, duck = await two()
    event = ann.say("x")
    inner = json.dumps({"type": "m.room.message", "content": {"body": "x"}, "room_id": "!lake:hs"})
    event["content"]["ciphertext"] = ann.machine._olm.outbound_group_sessions[ROOM].encrypt(inner)
    with pytest.raises(NotOpened, match="another room"):
        duck.read(event)


async def test_a_one_time_key_that_its_device_has_not_signed_is_not_used() -> None:
    ann, eve, duck = [await Party(f"@{name}:hs").begin() for name in ("ann", "eve", "duck")]
    duck.learn(ann)
    key_id, key = next(iter(ann.published["one_time_keys"].items()))
    other = next(iter(eve.published["one_time_keys"].values()))
    wrong: object
    for wrong in (other, key | {"key": other["key"]}, key | {"signatures": {}}, {}, 7):
        assert not duck.machine.claimed(*ann.pair, {key_id: wrong})
    assert not duck.machine.claimed("@ann:hs", "UNKNOWN", {key_id: key})
    assert duck.machine.unmet([ann.pair]) == [ann.pair]
    assert duck.machine.claimed(*ann.pair, {key_id: key})
    assert duck.machine.unmet([ann.pair]) == []


async def test_a_message_that_comes_again_is_opened_only_as_the_same_event_also_after_a_restart() -> None:
    ann, duck = await two()
    event = ann.say("once")
    assert duck.read(event) == "once"
    assert duck.read(event) == "once"
    with pytest.raises(NotOpened, match="repeats"):
        duck.read(event | {"event_id": "$2"})
    await duck.rows.flush()
    later = await duck.again()
    with pytest.raises(NotOpened, match="repeats"):
        later.read(event | {"event_id": "$2"})
    assert later.read(event) == "once"


async def test_a_message_for_another_room_is_not_opened_here() -> None:
    ann, duck = await two()
    duck.hear(ann.give_key(duck, room="!lake:hs"))
    event = ann.say("in the lake", room="!lake:hs")
    with pytest.raises(NoKey):
        duck.read(event)
    assert duck.read(event, room="!lake:hs") == "in the lake"


async def test_a_damaged_message_is_refused_and_one_without_a_key_waits() -> None:
    ann, duck = await two()
    event = ann.say("x")
    for ciphertext in ("", "AAAA", event["content"]["ciphertext"][:-8], 7):
        with pytest.raises(NotOpened, match="damaged"):
            duck.read(event | {"content": event["content"] | {"ciphertext": ciphertext}})
    with pytest.raises(NoKey):
        duck.read(event | {"content": event["content"] | {"session_id": "other"}})
    with pytest.raises(NotOpened, match="unknown way"):
        duck.read(event | {"content": event["content"] | {"algorithm": "org.example"}})


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_of_two_copies_of_a_key_the_one_that_opens_more_stays(order: tuple[int, int]) -> None:
    ann, duck = await Party("@ann:hs").begin(), await Party("@duck:hs").begin()
    duck.learn(ann)
    (early,) = ann.give_key(duck)
    first = ann.say("first", "$1")
    ann.machine._olm.outbound_group_sessions[ROOM].users_shared_with.clear()
    copies = (early, *ann.give_key(duck))
    second = ann.say("second", "$2")
    duck.hear([copies[number] for number in order])
    assert (duck.read(first), duck.read(second)) == ("first", "second")
    later = await _restarted(duck)
    assert (later.read(first), later.read(second)) == ("first", "second")


async def test_a_message_from_before_our_copy_of_its_key_waits_for_a_better_one() -> None:
    ann, duck = await Party("@ann:hs").begin(), await Party("@duck:hs").begin()
    duck.learn(ann)
    ann.give_key(duck)
    first = ann.say("first", "$1")
    ann.machine._olm.outbound_group_sessions[ROOM].users_shared_with.clear()
    duck.hear(ann.give_key(duck))
    with pytest.raises(NoKey):
        duck.read(first)


async def _without_its_key() -> tuple[Party, Party, dict[str, Any]]:
    """Ann, the duck, who has a session with her, and a message of hers whose key has not come."""
    ann, duck = await two()
    ann.machine.outbound.begin(ROOM, [], Period(), 0.0)
    ann.give_key(duck)
    return ann, duck, ann.say("late", "$2")


async def test_a_key_is_asked_for_once_and_taken_from_the_device_whose_own_it_is() -> None:
    ann, duck, event = await _without_its_key()
    with pytest.raises(NoKey):
        duck.read(event)
    assert duck.machine.inbound.ask_for(ROOM, event)
    assert not duck.machine.inbound.ask_for(ROOM, event)
    ((kind, body),) = duck.machine.outgoing()
    session_id = event["content"]["session_id"]
    asked = table(body, "messages", "@ann:hs", "*")
    assert (kind, asked["action"], asked["requesting_device_id"]) == ("m.room_key_request", "request", "DUCK")
    wanted = {"algorithm": "m.megolm.v1.aes-sha2", "room_id": ROOM, "session_id": session_id}
    assert table(asked, "body").items() >= wanted.items()
    duck = await _restarted(duck)
    assert duck.hear([ann.forward(duck, session_id, ann)]) == [(ROOM, session_id)]
    assert duck.read(event) == "late"
    with pytest.raises(Unproven):
        duck.read(event | {"sender": "@duck:hs"})
    assert not duck.rows.of("wanted")
    assert duck.hear([ann.forward(duck, session_id, ann)]) == [None]


async def test_a_key_that_nobody_asked_for_or_that_another_device_passes_on_is_not_taken() -> None:
    ann, duck, event = await _without_its_key()
    session_id = event["content"]["session_id"]
    assert duck.hear([ann.forward(duck, session_id, ann)]) == [None]
    eve = await Party("@eve:hs").begin()
    eve.learn(ann)
    ann.give_key(duck, eve)
    eve.hear(ann.give_key(duck, eve, room="!other:hs"))
    other = ann.say("x", "$3", room="!other:hs")
    eve.give_key(duck)
    duck.machine.inbound.ask_for("!other:hs", other)
    passed_on = eve.forward(duck, other["content"]["session_id"], ann, room="!other:hs")
    assert duck.hear([passed_on]) == [None]
    with pytest.raises(NoKey):
        duck.read(other, room="!other:hs")


async def test_no_more_keys_are_asked_for_than_fit() -> None:
    ann, duck, event = await _without_its_key()
    for number in range(250):
        duck.machine.inbound.ask_for(ROOM, event | {"content": event["content"] | {"session_id": f"s{number}"}})
    assert len(duck.rows.of("wanted")) == 200
    assert "s249" in duck.rows.of("wanted")
    assert ann.user == event["sender"]


async def test_the_key_is_changed_when_somebody_leaves_and_given_to_who_comes() -> None:
    ann, duck = await two()
    carol = await Party("@carol:hs").begin()
    old = ann.say("x")["content"]["session_id"]
    assert len(ann.give_key(duck, carol)) == 1
    assert ann.say("x")["content"]["session_id"] == old
    assert len(ann.give_key(duck)) == 1
    assert ann.say("x")["content"]["session_id"] != old


@pytest.mark.parametrize("period", [Period(messages=2), Period(seconds=-1.0)])
async def test_the_key_is_changed_after_the_period_of_the_room(period: Period) -> None:
    ann, duck = await two()
    sessions = set()
    for _ in range(6):
        ann.give_key(duck, period=period)
        sessions.add(ann.say("x")["content"]["session_id"])
    assert len(sessions) >= 3


async def test_a_session_that_is_lost_on_our_side_is_begun_anew_and_the_other_side_is_told() -> None:
    ann, duck = await two()
    duck.learn(ann)
    ann.learn(duck)
    ann.hear(duck.give_key(ann))  # from now on, ann's messages do not begin a session
    for name in [*duck.rows.of("olm")]:
        duck.rows.put("olm", name, None)
    duck = await _restarted(duck)
    assert duck.hear(ann.give_key(duck, room="!lake:hs")) == [None]
    assert duck.machine.wedged() == [ann.pair]
    keys = ann.published["one_time_keys"]
    assert duck.machine.claimed(*ann.pair, dict([keys.popitem()]))
    assert duck.machine.wedged() == []
    ((kind, body),) = duck.machine.outgoing()
    ann.hear([{"type": kind, "sender": duck.user, "content": table(body, "messages", *ann.pair)}])
    ((room, _),) = [each for each in duck.hear(ann.give_key(duck, room="!pool:hs")) if each is not None]
    assert room == "!pool:hs"
    assert duck.read(ann.say("here", "$9", room="!pool:hs"), room="!pool:hs") == "here"


async def test_after_a_restart_what_was_stored_goes_on_and_nothing_is_sealed_with_an_old_key() -> None:
    ann, duck = await two()
    await ann.rows.flush()
    await duck.rows.flush()
    before = ann.say("x")["content"]["session_id"]
    ann, duck = await ann.again(), await duck.again()
    assert not ann.machine.is_new
    duck.hear(ann.give_key(duck))
    event = ann.say("here again", "$2")
    assert event["content"]["session_id"] != before
    assert duck.read(event) == "here again"
    assert duck.machine.inbound.open(ROOM, event) is not None


async def test_what_we_said_ourselves_can_be_read_for_an_edit_also_after_a_restart() -> None:
    ann, _ = await two()
    event = ann.say("mine")
    await ann.rows.flush()
    assert (await ann.again()).read(event) == "mine"


async def test_keys_whose_upload_was_cut_short_are_offered_again_as_they_are() -> None:
    """The homeserver may have them: it takes no others under the same names."""
    rows = Rows(Notebook())
    await rows.load()
    first = Machine("@duck:hs", "DUCK", rows).upload(0, fallback=True)
    second = Machine("@duck:hs", "DUCK", rows).upload(0, fallback=False)
    assert first is not None
    assert second is not None
    assert table(first, "device_keys") == table(second, "device_keys")
    assert table(first, "one_time_keys").items() <= table(second, "one_time_keys").items()


async def test_a_one_time_key_is_forgotten_once_it_was_used() -> None:
    ann, duck = await Party("@ann:hs").begin(), await Party("@duck:hs").begin()
    key = ann.give_key(duck)
    await duck.rows.flush()
    duck.hear(key)
    assert "account" in {name.split()[2] for name in await duck.rows.take()}


async def test_keys_are_made_when_few_are_left_and_also_when_none_are() -> None:
    duck = await Party("@duck:hs").begin()
    assert duck.machine.upload(50, fallback=False) is None
    assert duck.machine.upload(None, fallback=False) is None
    for left in (25, 0):
        body = duck.machine.upload(left, fallback=False)
        assert body is not None
        assert len(table(body, "one_time_keys")) == 50 - left
        assert "device_keys" not in body
        duck.machine.uploaded()
    body = duck.machine.upload(50, fallback=True)
    assert body is not None
    (key,) = [table(body, "fallback_keys", name) for name in table(body, "fallback_keys")]
    assert key["fallback"] is True
    assert word(table(key, "signatures", "@duck:hs"), "ed25519:DUCK")


async def test_another_device_begins_with_keys_of_its_own() -> None:
    duck = await Party("@duck:hs").begin()
    await duck.rows.flush()
    new = await Party("@duck:hs", "OTHER", duck.memory).begin()
    assert new.machine.is_new
    assert new.machine.ed25519 != duck.machine.ed25519


async def test_the_number_of_sessions_and_keys_that_somebody_makes_us_keep_is_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bridge.matrix.crypto.olm.group_sessions._EACH", 5)
    ann, duck = await two()
    last = ""
    for number in range(12):
        ann.machine._olm.session_store[duck.machine.curve25519].clear()
        duck.hear(ann.give_key(duck, room=f"!{number}:hs"))
        duck.read(ann.say("x", room=f"!{number}:hs"), room=f"!{number}:hs")
        last = f"!{number}:hs"
    assert len(duck.rows.of("olm")) == 8
    assert len(duck.rows.of("megolm")) == len(duck.rows.of("heard")) == 5
    later = await _restarted(duck)
    assert later.read(ann.say("y", "$2", room=last), room=last) == "y"


async def _restarted(duck: Party) -> Party:
    await duck.rows.flush()
    return await duck.again()


_WORDS = st.sampled_from(["m.room.encrypted", "m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2", "@ann:hs", "0"])


@settings(max_examples=150, deadline=None)
@given(JSON, JSON, st.one_of(_WORDS, JSON), st.one_of(st.integers(0, 2), JSON))
def test_no_event_for_a_device_or_a_room_makes_trouble(
    content: object, body: object, key: object, kind: object
) -> None:
    asyncio.run(_hear_anything(content, body, key, kind))


async def _hear_anything(content: object, body: object, key: object, kind: object) -> None:
    duck = await Party("@duck:hs").begin()
    own = duck.machine.curve25519
    olm, megolm = "m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"
    for said in (
        content,
        {"algorithm": olm, "sender_key": key, "ciphertext": body},
        {"algorithm": olm, "sender_key": key, "ciphertext": {own: body}},
        {"algorithm": olm, "sender_key": key, "ciphertext": {own: {"type": kind, "body": key}}},
    ):
        assert duck.machine.hear({"type": "m.room.encrypted", "sender": key, "content": said}) is None
    for said in (content, {"algorithm": megolm, "session_id": key, "ciphertext": body}):
        with pytest.raises(NotOpened):
            duck.machine.inbound.open(ROOM, {"sender": key, "event_id": body, "content": said})


async def test_names_with_blanks_are_read_back_as_they_were() -> None:
    """A device id may have any characters, and a room id in an event for a device too."""
    ann, duck = await Party("@ann:hs", "my old phone").begin(), await Party("@duck:hs").begin()
    duck.learn(ann)
    duck.hear(ann.give_key(duck, room="! x y"))
    later = await _restarted(duck)
    assert later.read(ann.say("x", room="! x y"), room="! x y") == "x"


async def test_sharing_a_key_with_three_hundred_devices_has_breaks() -> None:
    """A hundred devices take some 35 ms."""
    ann = await Party("@ann:hs").begin()
    others = [await Party(f"@p{number}:hs").begin() for number in range(300)]
    ann.learn(*others)
    for other in others:
        keys = other.published["one_time_keys"]
        ann.machine.claimed(*other.pair, dict([keys.popitem()]))
    ann.machine.outbound.begin(ROOM, [other.pair for other in others], Period(), 0.0)
    most = 0
    for pairs, _ in ann.machine.outbound.share(ROOM, [other.pair for other in others]):
        most = max(most, len(pairs))
        ann.machine.outbound.shared(ROOM, pairs)
    assert 0 < most <= 100
    assert ann.machine.outbound.begin(ROOM, [other.pair for other in others], Period(), 1.0) == []
