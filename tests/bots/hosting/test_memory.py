import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.hosting.memory import ALL, NAME, NAMES, VALUE, StoredMemory

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


class Kept:
    """What the store has, and how often it was read."""

    def __init__(self, **values: str) -> None:
        self.values = dict(values)
        self.reads = self.writes = 0

    async def recall(self) -> dict[str, str]:
        self.reads += 1
        return dict(self.values)

    async def remember(self, changes: dict[str, str | None]) -> None:
        self.writes += 1
        for key, value in changes.items():
            if value is None:
                self.values.pop(key, None)
            else:
                self.values[key] = value


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "a b"]), JSON), max_size=12))
async def test_what_is_put_is_got_also_after_a_restart(changes: list[tuple[str, object]]) -> None:
    kept, expected = Kept(), {}
    memory = StoredMemory(kept, "duck")  # type: ignore[arg-type]
    for key, value in changes:
        await memory.put(key, value)  # type: ignore[arg-type]
        expected[key] = value
    expected = {key: value for key, value in expected.items() if value is not None}
    for each in (memory, StoredMemory(kept, "duck")):  # type: ignore[arg-type]
        assert await each.items() == expected
        assert [await each.get(key) for key in expected] == [*expected.values()]


async def test_bots_do_not_see_what_others_remember() -> None:
    kept = Kept(**{"bot goose secret": '"x"', "key of links to files": "ab"})
    memory = StoredMemory(kept, "duck")  # type: ignore[arg-type]
    await memory.put("mine", 1)
    assert await memory.items() == {"mine": 1}
    assert await memory.get("secret") is None
    assert kept.values["bot goose secret"] == '"x"'


async def test_memories_of_two_kinds_take_each_other_no_place() -> None:
    kept = Kept()
    memory, manners = StoredMemory(kept, "duck"), StoredMemory(kept, "duck", "manners")  # type: ignore[arg-type]
    await memory.put("a", 1)
    await manners.put("a", 2)
    assert (await memory.items(), await manners.items()) == ({"a": 1}, {"a": 2})


async def test_the_store_is_read_once_and_written_only_when_something_changes() -> None:
    kept = Kept()
    memory = StoredMemory(kept, "duck")  # type: ignore[arg-type]
    for _ in range(5):
        await memory.put("a", [1])
        await memory.get("a")
    assert (kept.reads, kept.writes) == (1, 1)


async def test_two_first_uses_at_once_do_not_undo_each_other() -> None:
    class Slow(Kept):
        async def recall(self) -> dict[str, str]:
            found = await super().recall()
            await asyncio.sleep(self.reads)
            return found

    memory = StoredMemory(Slow(), "duck")  # type: ignore[arg-type]
    await asyncio.gather(memory.put("a", 1), memory.put("b", 2))
    assert await memory.items() == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("key", "value"), [("", 1), ("k" * (NAME + 1), 1), ("k", "v" * VALUE)], ids=["none", "name", "value"]
)
async def test_too_much_is_refused_and_nothing_is_stored(key: str, value: object) -> None:
    kept = Kept()
    with pytest.raises(ValueError, match=r"at most|1 to"):
        await StoredMemory(kept, "duck").put(key, value)  # type: ignore[arg-type]
    assert kept.values == {}


async def test_a_bot_has_a_bound_for_names_and_for_all_its_values() -> None:
    kept = Kept(**{f"bot duck {number}": "1" for number in range(NAMES)})
    memory = StoredMemory(kept, "duck")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=str(NAMES)):
        await memory.put("one more", 1)
    await memory.put("7", 2)
    large = Kept(**{f"bot duck {number}": f'"{"x" * 16_000}"' for number in range(ALL // 16_002)})
    with pytest.raises(ValueError, match=str(ALL)):
        await StoredMemory(large, "duck").put("more", "x" * 16_000)  # type: ignore[arg-type]
