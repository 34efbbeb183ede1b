"""Looking up masks by host: the result is that of trying each mask in turn, only faster."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.model.glob import matches
from bridge.users import User
from bridge.users.masks import Masks
from tests.work import lines

_PART = st.text("ab.*?", min_size=1, max_size=5)
_REAL = st.text("ab.", min_size=1, max_size=5)


@given(st.lists(st.tuples(_PART, _PART, _PART), max_size=8), st.tuples(_REAL, _REAL, _REAL))
def test_the_first_mask_that_matches_wins_wherever_it_stands(
    masks: list[tuple[str, str, str]], real: tuple[str, str, str]
) -> None:
    held = [(f"{nick}!{user}@{host}", User(str(number))) for number, (nick, user, host) in enumerate(masks)]
    text = "{}!{}@{}".format(*real)
    first = next((user for mask, user in held if matches(mask, text)), None)
    assert Masks(held).find(text) == first


def test_a_star_in_a_mask_does_not_match_across_nick_user_and_host() -> None:
    masks = Masks([("al*!~al@*.isp.net", User("alice"))])
    assert masks.find("alice!~al@a.isp.net") == User("alice")
    assert masks.find("al!x!~al@a.isp.net") is None
    assert masks.find("al!~al@x@a.isp.net") is None
    assert masks.find("al!~al@isp.net") is None


def test_text_that_is_no_full_mask_matches_nobody() -> None:
    masks = Masks([("*!*@*.isp.net", User("alice"))])
    for text in ("", "alice", "alice!a", "a@b", "!@", "@", "!"):
        assert masks.find(text) is None


def test_finding_one_of_ten_thousand_masks_is_fast() -> None:
    many = [(f"*!user{number}@host{number}.isp.net", User(str(number))) for number in range(10_000)]
    masks = Masks(many)
    for number in range(0, 10_000, 10):
        assert masks.find(f"x!user{number}@host{number}.isp.net") == many[number][1]
    assert lines(lambda: masks.find("x!user7777@host7777.isp.net")) < 100
