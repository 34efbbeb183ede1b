"""Who comes, goes and is renamed on Matrix (bridge.matrix.dialect.membership, bridge.matrix.hearing.people)."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.matrix.dialect.convert import sender
from bridge.matrix.dialect.membership import Seen, seen
from bridge.matrix.dialect.sync import Membership, entries
from bridge.matrix.hearing.people import People
from bridge.matrix.rooms.joined import JoinedRoom
from bridge.matrix.rooms.names import Names
from bridge.model import event as bodies
from bridge.model.event import Change, Event, Origin
from bridge.model.text import REASON_LIMIT
from tests.matrix.heard import ROOM, US


def member(
    now: str, name: str | None = None, *, was: object = None, by: str = "@ann:hs", user: str = "@ann:hs", **more: object
) -> Membership:
    """A change of the membership of `user`, made by `by`."""
    content: dict[str, object] = {"membership": now, **({} if name is None else {"displayname": name}), **more}
    event: dict[str, object] = {"type": "m.room.member", "event_id": "$1", "state_key": user, "sender": by}
    event |= {"origin_server_ts": 1_500, "content": content}
    if was is not None:
        event["unsigned"] = {"prev_content": was, "prev_sender": user}
    (entry,) = entries([event])
    assert isinstance(entry, Membership)
    return entry


def there(name: str | None = "Ann") -> dict[str, object]:
    return {"membership": "join", "displayname": name}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (member("join", "Ann"), Seen(Change.JOINED, "Ann")),
        (member("join", "Ann", was={"membership": "leave"}), Seen(Change.JOINED, "Ann")),
        (member("join", "Ann", was={"membership": "invite", "displayname": "Ann"}), Seen(Change.JOINED, "Ann")),
        (member("leave", was=there()), Seen(Change.LEFT, "Ann")),
        (member("leave", was=there(), reason=" bye\n all "), Seen(Change.LEFT, "Ann", "bye  all")),
        (member("leave", was=there(), by="@op:hs", reason="noise"), Seen(Change.KICKED, "Ann", "noise")),
        (member("ban", was=there(), by="@op:hs", reason="x" * 5000), Seen(Change.BANNED, "Ann", "x" * REASON_LIMIT)),
        (member("join", "Bob", was=there()), Seen(Change.RENAMED, "Ann", "Bob")),
        (member("join", None, was=there()), Seen(Change.RENAMED, "Ann", "")),
    ],
)
def test_coming_going_and_being_renamed_is_seen_with_the_name_from_before(entry: Membership, expected: Seen) -> None:
    assert seen(entry, None) == expected


@pytest.mark.parametrize(
    "entry",
    [
        member("join", "Ann", was=there(), avatar_url="mxc://hs/new"),
        member("join", "Ann\u200b ", was=there()),
        member("join", "", was=there(None)),
        member("join", "@ann:hs", was=there("")),
        member("invite", "Ann", by="@op:hs"),
        member("knock", "Ann"),
        member("leave", was={"membership": "invite"}),
        member("leave", was={"membership": "invite"}, by="@op:hs"),
        member("leave", was={"membership": "knock"}),
        member("leave", was={"membership": "ban"}, by="@op:hs"),
        member("leave", was={"membership": "leave"}),
        member("ban", was={"membership": "leave"}, by="@op:hs"),
        member("ban", was={"membership": "ban"}, by="@op:hs"),
        member("ban", by="@op:hs"),
        member("dance", was=there()),
    ],
)
def test_what_changes_nothing_that_people_see_is_no_event(entry: Membership) -> None:
    assert seen(entry, None) is None


def test_a_homeserver_that_does_not_tell_what_was_before_is_helped_out_by_the_names_that_we_know() -> None:
    assert seen(member("join", "Ann"), "Ann") is None
    assert seen(member("join", "Bob"), "Ann") == Seen(Change.RENAMED, "Ann", "Bob")
    assert seen(member("leave"), "Ann") == Seen(Change.LEFT, "Ann")
    assert seen(member("leave"), None) is None


_JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda each: st.lists(each, max_size=2))
_MEMBERSHIPS = st.sampled_from(["join", "leave", "ban", "invite", "knock"])


@given(
    st.dictionaries(st.sampled_from(["displayname", "membership", "reason"]), _JSON | _MEMBERSHIPS),
    _JSON | st.fixed_dictionaries({"membership": _MEMBERSHIPS | _JSON, "displayname": _JSON}),
    _JSON,
)
def test_a_membership_of_any_shape_does_not_raise_and_its_reason_is_bounded(
    content: dict[str, object], before: object, by: object
) -> None:
    event = {"type": "m.room.member", "state_key": "@ann:hs", "event_id": "$1", "sender": by, "content": content}
    (entry,) = entries([event | {"unsigned": {"prev_content": before}}])
    assert isinstance(entry, Membership)
    found = seen(entry, None)
    if found is not None and found.change is not Change.RENAMED:
        assert len(found.detail) <= REASON_LIMIT


class Homeserver:
    """Knows the name of everybody, and who was asked for."""

    us = US

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def displayname(self, room_id: str, user: str) -> str:
        self.asked.append(user)
        return user[1:].partition(":")[0].title()


async def moved(entry: Membership, homeserver: Homeserver | None = None, **names: str) -> Event | None:
    """What is heard of `entry` in a room with people of those names."""
    joined = JoinedRoom("!pond", ROOM)
    joined.names = Names(US.user, US.names)
    for user, name in names.items():
        joined.names.change(f"@{user}:hs", name)
    return await People("home", cast("Any", homeserver or Homeserver())).moved(joined, entry, replayed=False)


def body(event: Event | None) -> bodies.Membership:
    assert event is not None
    assert isinstance(event.body, bodies.Membership)
    return event.body


async def test_a_membership_has_person_change_and_detail_and_its_sender_is_who_did_it() -> None:
    event = await moved(member("leave", was=there(), by="@op:hs", reason="noise"), ann="Ann", op="Op")
    ann, op = sender("home", "@ann:hs", "Ann"), sender("home", "@op:hs", "Op")
    assert event == Event("$1", ROOM, op, 1.5, bodies.Membership(ann, Change.KICKED, "noise"), origin=Origin.LIVE)
    event = await moved(member("join", "Bob", was=there()), ann="Ann")
    assert event == Event("$1", ROOM, ann, 1.5, bodies.Membership(ann, Change.RENAMED, "Bob"))


async def test_people_of_one_name_are_told_apart_when_they_come_and_when_they_take_the_name() -> None:
    came = body(await moved(member("join", "Kim", was={"membership": "leave"}), twin="Kim"))
    assert came.person.name == "Kim (@ann:hs)"
    renamed = body(await moved(member("join", "Kim", was=there()), twin="Kim", ann="Ann"))
    assert (renamed.person.name, renamed.detail) == ("Ann", "Kim (@ann:hs)")
    impostor = body(await moved(member("join", US.shown, was=there()), ann="Ann"))
    assert impostor.detail == f"{US.shown} (@ann:hs)"
    left = body(await moved(member("leave", was=there("Kim")), twin="Kim", ann="Kim"))
    assert left.person.name == "Kim (@ann:hs)"


async def test_what_is_about_us_or_by_us_is_not_heard() -> None:
    assert await moved(member("join", "Duck", user=US.user, by=US.user)) is None
    assert await moved(member("leave", was=there(), user=US.user, by="@op:hs")) is None
    assert await moved(member("leave", was=there(), by=US.user), ann="Ann") is None


async def test_a_mass_join_asks_the_homeserver_for_nobody() -> None:
    homeserver = Homeserver()
    for number in range(1000):
        user = f"@u{number}:hs"
        assert await moved(member("join", f"u{number}", user=user, by=user), homeserver) is not None
        assert (
            await moved(member("join", f"u{number}", was=there(f"u{number}"), user=user, by=user), homeserver) is None
        )
    assert homeserver.asked == []
