"""People of one name are told apart (bridge.matrix.rooms.names)."""

import pytest

from bridge.matrix.dialect.convert import sender, with_id
from bridge.matrix.rooms import names
from bridge.matrix.rooms.names import Names
from bridge.model.text import NAME_LIMIT

_US = "@duck:hs"
_OURS = ("Little Yellow Duck", "duck")
_KIM, _TWIN, _ANN = "@kim:hs", "@twin:hs", "@ann:hs"


def shown(room: Names, user: str) -> str:
    """How `user` is shown in other rooms."""
    name = room.of(user)
    assert name is not None
    who = sender("home", user, name)
    return (with_id(who) if room.is_ambiguous(user, name) else who).name


def room(**people: str) -> Names:
    there = Names(_US, _OURS)
    for user, name in people.items():
        there.change(f"@{user}:hs", name)
    return there


@pytest.mark.parametrize("twin", ["Kim", "kim", " Kim ", "K\u200dim", "\uff2bim", "K\u00adim", "\u202eKim"])
def test_two_people_whose_names_look_alike_are_shown_with_their_ids_and_others_are_not(twin: str) -> None:
    there = room(kim="Kim", twin=twin, ann="Ann")
    assert shown(there, _KIM) == "Kim (@kim:hs)"
    assert shown(there, _TWIN).endswith("im (@twin:hs)")
    assert shown(there, _ANN) == "Ann"


def test_a_name_stands_alone_again_when_its_twin_has_another_or_has_left() -> None:
    there = room(kim="Kim", twin="Kim")
    there.change(_TWIN, "Tim")
    assert shown(there, _KIM) == "Kim"
    there.change(_TWIN, "Kim")
    assert shown(there, _KIM) == "Kim (@kim:hs)"
    there.change(_TWIN, None)
    there.change("@stranger:hs", None)
    assert shown(there, _KIM) == "Kim"
    there.change(_TWIN, "Kim")
    assert shown(there, _TWIN) == "Kim (@twin:hs)"


@pytest.mark.parametrize("name", ["", "  ", "\u200b", "\u200d", "\ufe0f\u200d", "\u2800\u2800", "\u00a0", "\u3164"])
def test_a_name_that_nobody_would_see_is_the_id(name: str) -> None:
    there = room(kim=name, twin=name)
    assert (shown(there, _KIM), shown(there, _TWIN)) == (_KIM, _TWIN)


def test_our_own_name_and_a_name_like_an_id_are_told_apart() -> None:
    there = room(duck="Little Yellow Duck", kim="LITTLE yellow duck", twin="@ann:hs", ann="", eve="Kim (@kim:hs)")
    assert shown(there, _US) == "Little Yellow Duck"
    assert shown(there, _KIM) == "LITTLE yellow duck (@kim:hs)"
    assert (shown(there, _ANN), shown(there, _TWIN)) == ("@ann:hs", "@ann:hs (@twin:hs)")
    assert shown(there, "@eve:hs") == "Kim (@kim:hs) (@eve:hs)"


def test_in_a_room_of_more_people_than_can_be_known_each_is_shown_with_an_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "MOST", 2)
    there = room(kim="Kim", ann="Ann")
    assert not there.is_ambiguous(_KIM, "Kim")
    there.change(_TWIN, "Twin")
    assert there.of(_TWIN) is None
    assert there.is_ambiguous(_KIM, "Kim")
    assert Names(_US, _OURS, are_known=False).is_ambiguous(_ANN, "Ann")


def test_a_name_with_an_id_stays_short() -> None:
    long = with_id(sender("home", "@" + "x" * 250 + ":hs", "k" * 1000)).name
    assert len(long) <= 2 * NAME_LIMIT + 3


def test_somebody_is_found_by_name_local_part_and_id_if_it_is_only_one() -> None:
    there = room(kim="Kim Possible", twin="Tim", ann="Ann", duck="Little Yellow Duck")
    for called in ("kim possible", "KIM", "@kim:hs", " \uff2bim "):
        assert there.who(called) == _KIM
    assert there.who("nobody") is None
    assert there.who("duck") is None
    assert there.who(_US) is None
    there.change("@tim:hs", "Other")
    assert there.who("tim") is None  # one by name, another by id
    there.change(_TWIN, None)
    assert there.who("tim") == "@tim:hs"


def test_nobody_is_found_by_a_name_that_several_bear_until_one_is_left() -> None:
    there = room(kim="Kim", twin="kim", ann="KIM")
    assert there.who("Kim") is None
    there.change(_TWIN, "Tim")
    assert there.who("Kim") is None
    there.change(_ANN, None)
    assert there.who("Kim") == _KIM
    there.change(_KIM, None)
    assert there.who("Kim") is None
