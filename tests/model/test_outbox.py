import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.lib.ids import digest
from bridge.model.event import Room
from bridge.model.outbox import Delivery, Post
from tests.events import HOME, LIBERA, OFTC, matrix, said


@given(st.lists(st.text(st.characters(exclude_categories=()))), st.lists(st.text()))
def test_two_digests_are_equal_exactly_if_their_lists_of_parts_are(one: list[str], other: list[str]) -> None:
    """The parts may be anything that a server sends as an id, half a surrogate pair too."""
    assert (digest(*one) == digest(*other)) == (one == other)


def test_ids_of_deliveries_and_posts_are_derived_from_event_room_and_part() -> None:
    event = said(HOME, matrix("alice"), "hi")
    assert Delivery.of(event.key, LIBERA) == Delivery.of(event.key, LIBERA)
    assert Delivery.of(event.key, LIBERA).id != Delivery.of(event.key, OFTC).id
    assert Post.of(LIBERA, ("a", "b"), 0, "x").id == Post.of(LIBERA, ("a", "b"), 0, "y").id
    assert Post.of(LIBERA, ("a", "b"), 0, "x").id != Post.of(LIBERA, ("a", "b"), 1, "x").id
    assert Post.of(LIBERA, ("a", "b"), 0, "x").id != Post.of(LIBERA, ("a",), 0, "x").id


def test_a_room_is_written_with_its_network() -> None:
    assert Room.parse("home/#pond:hs") == HOME
    assert str(HOME) == "home/#pond:hs"
    assert Room.parse("home/!a/b:hs") == Room("home", "!a/b:hs")


@pytest.mark.parametrize("text", ["", "home", "home/", "/#pond"])
def test_a_room_without_a_network_or_a_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not NETWORK/ROOM"):
        Room.parse(text)
