"""Who types, and how often we are woken for that (bridge.matrix.hearing.typists)."""

import math
from collections.abc import Sequence

from bridge.matrix.dialect import sync
from bridge.matrix.hearing.asking import Answer
from bridge.matrix.hearing.typists import Typists
from bridge.matrix.http import filters
from bridge.matrix.rooms.joined import Rooms
from bridge.model.event import Room
from bridge.model.people import Identity, Proof
from bridge.network import Typing
from tests.matrix.heard import ROOM, US

_LAKE = Room("home", "#lake:hs")
_HI = {"type": "m.room.message", "sender": "@ann:hs", "event_id": "$1", "content": {"body": "hi"}}


def typists(rooms: Rooms | None = None) -> Typists:
    if rooms is None:
        rooms = Rooms("home")
        rooms.add("!pond", ROOM)
        rooms.add("!lake", _LAKE)
    return Typists("home", rooms)


def answer(
    at: float = 0.0,
    *,
    replayed: bool = False,
    events: Sequence[object] = (),
    left: Sequence[str] = (),
    **typing: Sequence[object] | None,
) -> Answer:
    """A sync in which those people type in the rooms of those names (None: no news of that)."""
    rooms = {}
    for name, users in typing.items():
        ephemeral = [{"type": "m.receipt"}, {"type": "m.typing", "content": {"user_ids": users}}]
        rooms[f"!{name}"] = {
            "timeline": {"events": [*events]},
            "ephemeral": {"events": ephemeral if users is not None else []},
        }
    response = {"next_batch": "s", "rooms": {"join": rooms, "leave": {room_id: {} for room_id in left}}}
    return Answer(sync.read(response, US.user), at, replayed)


def shown(signals: Sequence[Typing]) -> list[tuple[str, str, bool]]:
    return [(signal.room.id, signal.sender.address, signal.active) for signal in signals]


def test_who_begins_to_type_and_who_stops_is_a_signal_each() -> None:
    heard = typists()
    (signal,) = heard.hear(answer(pond=["@ann:hs"]), US.user)
    assert (signal.room, signal.active) == (ROOM, True)
    assert signal.sender.proofs == (Identity(Proof.MATRIX, "", "@ann:hs"),)
    assert shown(heard.hear(answer(pond=["@bob:hs", "@ann:hs"], lake=["@ann:hs"]), US.user)) == [
        (ROOM.id, "@bob:hs", True),
        (_LAKE.id, "@ann:hs", True),
    ]
    assert heard.hear(answer(pond=None), US.user) == ()
    assert shown(heard.hear(answer(pond=["@eve:hs", "@bob:hs"]), US.user)) == [
        (ROOM.id, "@ann:hs", False),
        (ROOM.id, "@eve:hs", True),
    ]
    assert shown(heard.stop()) == [
        (_LAKE.id, "@ann:hs", False),
        (ROOM.id, "@bob:hs", False),
        (ROOM.id, "@eve:hs", False),
    ]
    assert heard.stop() == ()


def test_our_own_account_nobody_in_private_and_nobody_in_other_rooms_types() -> None:
    rooms = Rooms("home")
    rooms.add("!pond", ROOM)
    rooms.add_private("!private", "@ann:hs")
    heard = typists(rooms)
    found = heard.hear(answer(pond=[US.user, 7, None, []], private=["@ann:hs"], other=["@ann:hs"]), US.user)
    assert found == ()


def test_after_a_time_away_or_in_a_room_that_we_left_nobody_types_any_more() -> None:
    heard = typists()
    heard.hear(answer(pond=["@ann:hs"], lake=["@ann:hs"]), US.user)
    assert shown(heard.hear(answer(left=["!lake"]), US.user)) == [(_LAKE.id, "@ann:hs", False)]
    assert shown(heard.hear(answer(replayed=True), US.user)) == [(ROOM.id, "@ann:hs", False)]


def test_of_a_thousand_typists_ten_are_shown_and_those_stay_the_same() -> None:
    heard = typists()
    everybody = [f"@u{number}:hs" for number in range(1000)]
    first = shown(heard.hear(answer(pond=everybody), US.user))
    assert [user for _, user, _ in first] == everybody[:10]
    turned = [*everybody[1:], everybody[0]]
    assert shown(heard.hear(answer(pond=turned), US.user)) == [
        (ROOM.id, "@u0:hs", False),  # no more among the first hundred, which is all that is read
        (ROOM.id, "@u10:hs", True),
    ]
    assert len(heard.stop()) == 10


def test_while_people_type_all_the_time_it_is_not_asked_for_and_later_it_is_again() -> None:
    heard, now, wakes = typists(), 1_000.0, 0
    while heard.are_heard(now) and wakes < 1000:
        last = heard.hear(answer(now, pond=[f"@u{wakes}:hs"]), US.user)
        wakes, now = wakes + 1, now + 0.01
    assert wakes == 60
    assert [signal.active for signal in last] == [False, True, False]  # nobody is left typing for ever
    assert not heard.are_heard(now + 30)
    assert heard.are_heard(now + 61)


def test_who_types_for_long_is_said_again_every_few_seconds_as_others_forget_it() -> None:
    heard, signs = typists(), []
    assert heard.poll_s == math.inf
    for second in range(0, 60, 5):
        users = ["@ann:hs"] if second == 0 else None
        signs += [(second, *each) for each in shown(heard.hear(answer(1_000.0 + second, pond=users), US.user))]
        assert heard.poll_s <= 10
    assert signs == [(second, ROOM.id, "@ann:hs", True) for second in range(0, 60, 10)]
    assert shown(heard.hear(answer(5.0), US.user)) == [(ROOM.id, "@ann:hs", True)]  # the clock was set back
    assert len(heard.stop()) == 1
    assert heard.hear(answer(2_000.0), US.user) == ()
    assert heard.poll_s == math.inf


def test_a_sync_that_has_a_message_as_well_would_have_woken_us_anyway() -> None:
    heard = typists()
    for number in range(1000):
        heard.hear(answer(1_000.0, pond=[f"@u{number}:hs"], events=[_HI]), US.user)
    assert heard.are_heard(1_000.0)


def test_people_who_type_once_a_second_are_always_heard() -> None:
    heard = typists()
    for second in range(10_000):
        assert heard.are_heard(float(second))
        heard.hear(answer(float(second), pond=[f"@u{second}:hs"]), US.user)


def test_the_filter_has_who_types_only_if_wanted_and_never_who_has_read_what() -> None:
    for typing, types in ((True, ["m.typing"]), (False, [])):
        room = filters.sync(US.user, typing=typing)["room"]
        assert isinstance(room, dict)
        assert room["ephemeral"] == {"types": types}
