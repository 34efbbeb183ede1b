"""Dicts and sets with a limit: when it is exceeded, they forget the oldest key."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.lib.lru import LruDict, LruSet

_KEYS = st.lists(st.integers(0, 9), max_size=50)


def test_a_dict_forgets_the_key_that_was_not_used_for_longest() -> None:
    kept: LruDict[str, int] = LruDict(2)
    kept["a"], kept["b"], kept["a"] = 1, 2, 3
    kept["c"] = 4
    assert [*kept] == ["a", "c"]
    assert kept.get("a") == 3
    kept["d"] = 5
    assert [*kept] == ["a", "d"]
    assert kept.get("c") is None


def test_asking_whether_a_dict_has_a_key_does_not_keep_it() -> None:
    kept: LruDict[str, int] = LruDict(2)
    kept["a"], kept["b"] = 1, 2
    assert "a" in kept
    kept["c"] = 3
    assert "a" not in kept


def test_a_key_of_a_dict_can_be_removed() -> None:
    kept: LruDict[str, int] = LruDict(2)
    kept["a"] = 1
    assert [kept.pop("a"), kept.pop("a")] == [1, None]
    assert len(kept) == 0


@given(_KEYS, st.integers(1, 5))
def test_a_dict_has_what_was_set_last(keys: list[int], limit: int) -> None:
    kept: LruDict[int, int] = LruDict(limit)
    for key in keys:
        kept[key] = -key
    last = [key for index, key in enumerate(keys) if key not in keys[index + 1 :]][-limit:]
    assert [(key, kept.get(key)) for key in kept] == [(key, -key) for key in last]


def test_a_key_of_a_set_is_new_once_and_again_when_it_was_forgotten() -> None:
    seen: LruSet[str] = LruSet(2)
    assert [seen.add("a"), seen.add("a"), seen.add("b"), seen.add("a")] == [True, False, True, False]
    assert seen.add("c")  # a was added first, and is forgotten
    assert [seen.add("b"), seen.add("a")] == [False, True]


def test_a_key_of_a_set_is_new_again_after_it_was_discarded() -> None:
    seen: LruSet[str] = LruSet(2)
    seen.add("a")
    seen.discard("a")
    seen.discard("never there")
    assert "a" not in seen
    assert seen.add("a")


@given(_KEYS, st.integers(1, 5))
def test_a_set_never_exceeds_its_limit_and_has_what_was_just_added(keys: list[int], limit: int) -> None:
    seen: LruSet[int] = LruSet(limit)
    for key in keys:
        new = key not in seen
        assert seen.add(key) is new
        assert key in seen
        assert len(seen) <= limit
