"""From a sync to events, counts and the power of people (bridge.matrix.hearing.listening), on a scripted homeserver."""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.matrix.account import Account
from bridge.matrix.crypto import opening
from bridge.matrix.crypto.keys import Keys
from bridge.matrix.crypto.opening import Opening
from bridge.matrix.crypto.rows import PREFIX, Rows
from bridge.matrix.dialect.fields import Json
from bridge.matrix.hearing.asking import Asking
from bridge.matrix.hearing.listening import Listening
from bridge.matrix.hearing.remembering import Remembering
from bridge.matrix.hearing.unsealing import Unsealing
from bridge.matrix.http.homeserver import ApiError, Homeserver
from bridge.matrix.http.patience import Patience
from bridge.matrix.rooms.invitations import Invitations
from bridge.matrix.rooms.joined import JoinedRoom, Rooms
from bridge.matrix.rooms.joining import Joining
from bridge.matrix.rooms.private import Private
from bridge.model.accounting import Tally
from bridge.model.event import Change, Membership, Redaction, Room
from bridge.model.text import plain
from bridge.network import Batch
from tests.fakes.memory import Notebook
from tests.matrix.crypto.parties import Party
from tests.matrix.test_power import JSON
from tests.settings import matrix_settings

_US, _ANN, _MOD = "@duck:hs", "@ann:hs", "@mod:hs"
_POND = Room("home", "#pond:hs")


class Scripted(Homeserver):
    """Answers one sync after the other; `levels`: the power levels when an event was sent."""

    def __init__(self, syncs: Sequence[Json]) -> None:
        super().__init__("http://localhost", _US)
        self.syncs = [*syncs]
        self.asked: list[str] = []
        self.levels: Json = {"users": {_MOD: 50}}

    async def once(
        self,
        method: str,
        path: object,
        query: Mapping[str, str] | None = None,
        body: str | None = None,
        within: float = 0,
        take: object = None,
    ) -> Json:
        assert isinstance(path, tuple)
        self.asked.append("/".join(path))
        match path:
            case ("sync",):
                if not self.syncs:
                    await asyncio.Event().wait()
                return {"next_batch": "s", **self.syncs.pop(0)}
            case (*_, "context", _):
                create = {"type": "m.room.create", "state_key": "", "sender": _ANN, "content": {"room_version": "11"}}
                return {"state": [create, {"type": "m.room.power_levels", "state_key": "", "content": self.levels}]}
            case (*_, "members" | "messages"):
                return {"chunk": []}
            case ("directory", *_) | ("join", _):
                return {"room_id": "!pond"}
            case (*_, "state", _, _):
                raise ApiError(404, "M_NOT_FOUND", "")
        return {}


class Listener:
    """The part of the adapter that listens, in one room."""

    def __init__(self, *syncs: Json, rows: Rows | None = None) -> None:
        self.homeserver, self.rooms, memory, rng = Scripted(syncs), Rooms("home"), Notebook(), random.Random(1)
        patience = Patience("home", rng)
        account = Account(matrix_settings("home", "http://localhost", _US, "x"), self.homeserver, memory, patience)
        asking = Asking(self.homeserver, account, patience, self.rooms, asyncio.Event(), time.time)
        joining = Joining([_POND], self.rooms, self.homeserver, account, memory, rng)
        private = Private("home", self.rooms, self.homeserver, account, memory)
        invitations = Invitations("home", joining, private, memory)
        remembering = Remembering(invitations, self.rooms, rows)
        self.keys = Keys("home", self.homeserver, account, patience, rows, time.time) if rows is not None else None
        opening = Opening(self.keys, rows, time.time) if self.keys is not None and rows is not None else None
        unsealing = Unsealing("home", self.keys, opening)
        self.listening = Listening(
            "home", asking, self.rooms, joining, private, invitations, lambda *_: True, unsealing, remembering
        )
        self.joined: JoinedRoom = self.rooms.add("!pond", _POND)
        self.joined.recall()

    async def hears(self, number: int) -> list[Batch]:
        """The next batches."""
        async with aclosing(self.listening.batches("s0")) as batches:
            return [await anext(batches) for _ in range(number)]


def _sync(*events: object) -> Json:
    return {"rooms": {"join": {"!pond": {"timeline": {"events": [*events]}}}}}


def _event(number: int, kind: str = "m.room.message", sender: str = _ANN, **more: object) -> dict[str, object]:
    content = {"msgtype": "m.text", "body": f"number {number}"}
    return {"type": kind, "sender": sender, "event_id": f"${number}", "origin_server_ts": 1, "content": content} | more


def _redaction(number: int, sender: str) -> Json:
    return _event(number, "m.room.redaction", sender, content={"redacts": "$1"})


async def test_events_of_other_kinds_are_counted_and_what_is_said_beside_them_is_heard() -> None:
    beacons = [_event(number, "m.beacon") for number in (2, 3)]
    ours, state = _event(5, "m.beacon", _US), _event(6, "m.room.topic", state_key="")
    listener = Listener(_sync(_event(1), *beacons, _event(4, "org.example.x"), ours, state, _event(7)))
    (batch,) = await listener.hears(1)
    assert [plain(event.text) for event in batch.events] == ["number 1", "number 7"]
    assert [count.reason for count in batch.counts] == [
        "not a kind of event that is carried: m.beacon",
        "not a kind of event that is carried: m.beacon",
        "not a kind of event that is carried",
    ]
    assert {(count.room, count.what) for count in batch.counts} == {(_POND, Tally.REFUSED)}


async def test_listening_has_begun_only_when_the_first_position_is_stored() -> None:
    """What is said before is older than the position, and would be missed."""
    listener = Listener({"next_batch": "s1"}, _sync(_event(1)))
    async with aclosing(listener.listening.batches(None)) as batches:
        await anext(batches)
        assert not listener.listening.begun.is_set()
        assert [plain(event.text) for event in (await anext(batches)).events] == ["number 1"]
        assert listener.listening.begun.is_set()


async def test_counts_alone_move_the_cursor_and_none_come_from_private_conversations() -> None:
    listener = Listener(_sync(_event(1, "m.beacon")))
    (batch,) = await listener.hears(1)
    assert (batch.events, len(batch.counts), batch.cursor.split()[0]) == ((), 1, "s")
    listener = Listener(_sync(_event(1, "m.beacon"), _event(2)))
    listener.rooms.remove(listener.joined)
    listener.rooms.add_private("!pond", _ANN).hear()
    (batch,) = await listener.hears(1)
    assert (len(batch.events), batch.counts) == (1, ())


async def test_the_power_of_people_is_asked_for_once_when_it_is_needed_and_kept_up_to_date() -> None:
    levels = _event(4, "m.room.power_levels", content={"users": {_ANN: 50}}, state_key="")
    listener = Listener(_sync(_event(1)), _sync(_redaction(2, _MOD), _event(3)), _sync(levels, _redaction(5, _ANN)))

    def may_redact() -> list[str]:
        power = listener.joined.power
        return ["unknown"] if power is None else [user for user in (_ANN, _MOD) if power.may_redact(user)]

    found = []
    async with aclosing(listener.listening.batches("s0")) as batches:
        for _ in range(3):
            await anext(batches)
            found.append(may_redact())
    assert found == [["unknown"], [_MOD], [_ANN]]
    assert [asked for asked in listener.homeserver.asked if "context" in asked] == ["rooms/!pond/context/$2"]
    listener.joined.leave("removed")
    assert may_redact() == ["unknown"]  # others may be powerful when we are back


async def test_an_open_invitation_is_kept_together_with_the_position_after_which_it_is_not_shown_again() -> None:
    invited = {"type": "m.room.member", "sender": _ANN, "state_key": _US, "content": {"membership": "invite"}}
    rooms = {"invite": {"!two": {"invite_state": {"events": [invited]}}}}
    listener = Listener({"rooms": rooms, "next_batch": "s1"})
    (batch,) = await listener.hears(1)
    assert batch.cursor.startswith("s1 ")
    assert batch.changes == {"invited !two": '["@ann:hs", true, false, ""]'}


async def test_a_removal_is_moderated_if_its_sender_had_the_power_to_remove_what_others_say() -> None:
    demoted = _event(5, "m.room.power_levels", content={"users": {}}, state_key="")
    removals = [_redaction(2, _MOD), _redaction(3, _ANN)]
    listener = Listener(_sync(_event(1)), _sync(*removals, demoted, _redaction(6, _MOD)))
    _, batch = await listener.hears(2)
    moderated = [event.body.moderated for event in batch.events if isinstance(event.body, Redaction)]
    assert moderated == [True, False, False]


def _member(number: int, user: str, membership: str = "join", sender: str = "", **more: object) -> dict[str, object]:
    content = {"membership": membership, "displayname": user[1:].partition(":")[0]}
    return _event(number, "m.room.member", sender or user, state_key=user, content=content, **more)


def _changes(batches: Sequence[Batch]) -> list[tuple[str, Change]]:
    bodies = (event.body for batch in batches for event in batch.events)
    return [(body.person.address, body.change) for body in bodies if isinstance(body, Membership)]


async def test_a_mass_join_is_heard_in_bounded_batches_without_a_question_for_each_name() -> None:
    joins = [_member(number, f"@u{number}:hs") for number in range(1000)]
    listener = Listener(_sync(*joins))
    batches = await listener.hears(6)
    assert [len(batch.events) for batch in batches] == [200, 200, 200, 200, 200, 0]
    assert _changes(batches) == [(f"@u{number}:hs", Change.JOINED) for number in range(1000)]
    assert len({batch.cursor for batch in batches[:5]}) == 1
    assert len(listener.homeserver.asked) == 3  # the filter, the sync, and the names of all


async def test_of_changes_only_those_in_the_timeline_since_we_came_are_events_and_none_in_private() -> None:
    before, after = _member(1, "@old:hs"), _member(2, "@new:hs")
    listener = Listener(_sync(before, after, _member(3, _US, "leave", _MOD)))
    listener.joined.past = frozenset({"$1"})
    assert _changes(await listener.hears(1)) == [("@new:hs", Change.JOINED)]
    state = {"rooms": {"join": {"!pond": {"state": {"events": [before]}, "timeline": {"events": [_event(2)]}}}}}
    assert _changes(await Listener(state).hears(1)) == []
    listener = Listener(_sync(_member(1, _ANN, unsigned={"prev_content": {"membership": "invite"}}), _event(2)))
    listener.rooms.remove(listener.joined)
    listener.rooms.add_private("!pond", _ANN).hear()
    assert _changes(await listener.hears(1)) == []


def _typing(*users: str, events: Sequence[object] = ()) -> Json:
    ephemeral = {"events": [{"type": "m.typing", "content": {"user_ids": [*users]}}]}
    return {"rooms": {"join": {"!pond": {"ephemeral": ephemeral, "timeline": {"events": [*events]}}}}}


async def test_typing_alone_leaves_the_cursor_where_it_is_and_beside_a_message_comes_with_it() -> None:
    syncs = (_sync(_event(1)), _typing(_ANN), _typing(_US, _ANN), _typing(_MOD), _typing(events=[_event(2)]))
    listener = Listener(*syncs)
    first, begun, other, ended = await listener.hears(4)
    assert (first.signals, begun.events, begun.cursor, other.cursor) == ((), (), first.cursor, first.cursor)
    assert [[(each.sender.address, each.active) for each in batch.signals] for batch in (begun, other, ended)] == [
        [(_ANN, True)],
        [(_ANN, False), (_MOD, True)],
        [(_MOD, False)],
    ]
    assert [plain(event.text) for event in ended.events] == ["number 2"]


async def test_while_people_type_all_the_time_the_next_sync_does_not_ask_for_it() -> None:
    listener = Listener(_sync(_event(0)), *(_typing(f"@u{number}:hs") for number in range(70)), _sync(_event(1)))
    batches = await listener.hears(62)
    assert [len(batch.signals) for batch in batches] == [0, 1, *[2] * 58, 3, 0]
    assert [asked for asked in listener.homeserver.asked if "filter" in asked] == [f"user/{_US}/filter"] * 2


async def test_a_room_that_we_have_moved_to_is_told_of_with_its_first_messages() -> None:
    listener = Listener(_sync(_event(1)))
    listener.rooms.remove(listener.joined)
    new = listener.rooms.expect("!pond", _POND, "it was upgraded")
    listener.rooms.add("!pond", _POND)
    new.enter()
    (batch,) = await listener.hears(1)
    assert [(move.room, move.place, move.why) for move in batch.moves] == [(_POND, "!pond", "it was upgraded")]


_TYPES = st.sampled_from(
    [
        "m.room.message",
        "m.sticker",
        "m.reaction",
        "m.room.redaction",
        "m.room.member",
        "m.room.encryption",
        "m.room.encrypted",
        "m.room.power_levels",
        "m.room.create",
        "m.room.topic",
        "m.poll.start",
        "m.poll.end",
    ]
)
_CONTENT = st.dictionaries(
    st.sampled_from(
        [
            "msgtype",
            "body",
            "formatted_body",
            "format",
            "m.new_content",
            "m.relates_to",
            "m.mentions",
            "redacts",
            "users",
            "membership",
            "displayname",
            "topic",
        ]
    ),
    JSON | st.sampled_from(["m.text", "m.emote", "m.image", "org.matrix.custom.html", "join", "leave"]),
    max_size=5,
)
_EVENT = st.fixed_dictionaries(
    {"type": _TYPES | JSON, "content": _CONTENT | JSON},
    optional={
        "event_id": JSON | st.just("$x"),
        "sender": JSON | st.just(_ANN),
        "state_key": JSON | st.just("") | st.just(_ANN),
        "origin_server_ts": JSON,
        "unsigned": JSON,
        "redacts": JSON,
    },
)


@given(st.lists(_EVENT | JSON, max_size=5))
@settings(deadline=None)
def test_no_event_that_anybody_sends_stops_the_bridge_or_hides_the_next_message(events: list[object]) -> None:
    async def heard() -> Batch:
        listener = Listener(_sync(*events, _event(1)))
        async with asyncio.timeout(20):
            (batch,) = await listener.hears(1)
        return batch

    batch = asyncio.run(heard())
    assert plain(batch.events[-1].text) == "number 1"
    assert len(batch.events) + len(batch.counts) <= len(events) + 1


def _sealed_sync(*events: dict[str, Any]) -> Json:
    return _sync(*(_event(7) | event for event in events))


async def test_a_message_whose_key_comes_in_a_later_sync_is_heard_then_and_the_position_moves_with_the_key() -> None:
    ann, duck = await Party(_ANN).begin(), await Party(_US).begin()
    duck.learn(ann)
    key = ann.give_key(duck, room="!pond")
    listener = Listener(
        _sealed_sync(ann.say("sealed", room="!pond")), {"to_device": {"events": key}}, _sync(_event(8)), rows=duck.rows
    )
    assert listener.keys is not None
    listener.keys.machine = duck.machine
    await duck.rows.flush()
    waits, heard, _ = await listener.hears(3)
    assert (waits.events, {key.split()[2] for key in waits.changes}) == ((), {"waiting", "wanted"})
    assert [plain(event.text) for event in heard.events] == ["sealed"]
    assert {key.split()[2] for key in heard.changes} == {"account", "olm", "megolm", "heard", "waiting", "wanted"}
    assert heard.changes[f"{PREFIX}waiting $1"] is None


async def test_a_message_whose_key_never_comes_is_told_as_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    ann, duck = await Party(_ANN).begin(), await Party(_US).begin()
    ann.give_key(duck)
    listener = Listener(_sealed_sync(ann.say("x")), rows=duck.rows)
    assert listener.keys is not None
    listener.keys.machine = duck.machine
    monkeypatch.setattr(opening, "_WAIT_S", 0.0)
    (told,) = await listener.hears(1)
    assert [(each.room, each.who, each.private) for each in told.unread] == [(_POND, _ANN, False)]


async def test_a_room_is_encrypted_from_the_moment_that_a_sync_says_so_before_anything_else_is_done() -> None:
    event = _event(2, "m.room.encryption", content={"algorithm": "m.megolm.v1.aes-sha2"}, state_key="")
    listener = Listener(_sync(_event(1), event, _event(3)))
    listener.joined.names = None
    seen = []
    original = listener.homeserver.once

    async def once(method: str, path: object, *args: Any, **more: Any) -> Json:
        seen.append((path, listener.joined.encrypted))
        return await original(method, path, *args, **more)

    listener.homeserver.once = once  # type: ignore[method-assign]
    (batch,) = await listener.hears(1)
    assert batch.changes["encrypted !pond"]
    assert ("members" in str(seen), seen[-1][1]) == (True, True)


async def test_that_a_room_is_encrypted_is_stored_with_the_next_position_and_not_taken_for_stored_before() -> None:
    events = [{"type": "m.typing", "content": {"user_ids": [_ANN]}}]
    typing = {"rooms": {"join": {"!pond": {"ephemeral": {"events": events}}}}}
    listener = Listener(_sync(_event(1)), typing, _sync(_event(2)), _sync(_event(3)))
    async with aclosing(listener.listening.batches("s0")) as batches:
        await anext(batches)
        listener.rooms.encrypt(listener.joined, {})  # as the server says when we join
        signals, second, third = [await anext(batches) for _ in range(3)]
    assert (bool(signals.signals), signals.changes) == (True, {})
    assert [*second.changes] == ["encrypted !pond"]
    assert third.changes == {}
