"""The simulated disk keeps what was synced, and any part of the rest that a real one might keep."""

import random
from collections.abc import Sequence

from tests.durability.disk import SECTOR, Disk, Image
from tests.durability.promises import Promises
from tests.durability.trace import MadeFolder, Moved, Opened, Operation, Removed, Said, Sized, Synced, Written

ONE, TWO = b"1" * SECTOR, b"2" * SECTOR


def _images(operations: Sequence[Operation]) -> list[Image]:
    """A hundred disks as a power cut after `operations` might leave them."""
    disk = Disk()
    for number, operation in enumerate(operations):
        disk.apply(number, operation)
    rng = random.Random(0)
    return [disk.image(rng) for _ in range(100)]


def _contents(operations: Sequence[Operation]) -> set[bytes]:
    """What may be in a file `a`, which is there."""
    return {image["a"] for image in _images([Opened("a", truncated=False), Synced(".", 1), *operations])}


def test_synced_data_survives_a_power_cut() -> None:
    assert _contents([Written("a", 0, ONE), Synced("a", 3)]) == {ONE}


def test_unsynced_data_survives_a_power_cut_wholly_partly_or_not_at_all() -> None:
    nothing, zeros = b"", bytes(SECTOR)
    found = _contents([Written("a", 0, ONE)])
    assert {nothing, zeros, ONE} <= found
    assert len(found) > 3, "a file that grew, and has something else in it"


def test_a_sync_covers_only_what_was_written_before_it_began() -> None:
    found = _contents([Written("a", 0, ONE), Written("a", SECTOR, TWO), Synced("a", 3)])
    assert {ONE, ONE + TWO} <= found
    assert all(content[:SECTOR] == ONE for content in found)


def test_unsynced_sectors_are_written_whole_and_in_any_order() -> None:
    found = _contents([Written("a", 0, bytes(2 * SECTOR)), Synced("a", 3), Written("a", 0, ONE + TWO)])
    zeros = bytes(SECTOR)
    assert found == {zeros + zeros, ONE + zeros, zeros + TWO, ONE + TWO}


def test_an_unsynced_truncation_survives_or_not() -> None:
    assert _contents([Written("a", 0, ONE), Synced("a", 3), Sized("a", 1)]) == {ONE, b"1"}


def test_a_new_file_is_sure_to_survive_only_if_its_folder_and_the_one_above_are_synced() -> None:
    made: list[Operation] = [MadeFolder("b"), Opened("b/a", truncated=False), Written("b/a", 0, ONE), Synced("b/a", 3)]
    assert {frozenset(image) for image in _images([*made, Synced("b", 4)])} == {frozenset(), frozenset({"b/a"})}
    assert _images([*made, Synced("b", 4), Synced(".", 5)]) == [{"b/a": ONE}] * 100


def test_an_unsynced_rename_survives_wholly_or_not_at_all() -> None:
    files: list[Operation] = [
        Opened("a", truncated=False),
        Written("a", 0, ONE),
        Synced("a", 2),
        Opened("b", truncated=False),
    ]
    found = _images([*files, Synced(".", 4), Moved("a", "b")])
    assert all(image in ({"a": ONE, "b": b""}, {"b": ONE}) for image in found)
    assert len({frozenset(image) for image in found}) == 2


def test_a_file_whose_removal_was_not_synced_may_be_back() -> None:
    found = _images([Opened("a", truncated=False), Synced(".", 1), Removed("a")])
    assert {frozenset(image) for image in found} == {frozenset(), frozenset({"a"})}


def _broken(lines: Sequence[dict[str, object]], found: dict[str, object]) -> list[str]:
    promises = Promises()
    for line in lines:
        promises.hear(Said(line))
    return list(promises.broken(found))


def test_the_checker_reports_a_finished_change_that_is_missing_and_one_that_was_never_made() -> None:
    lines: list[dict[str, object]] = [{"verb": 0, "changes": {"a": 1}}, {"done": 0}]
    assert _broken(lines, {"a": 1}) == []
    assert _broken(lines, {}) == ["a is None, not 1"]
    assert _broken(lines, {"a": 1, "b": 2}) == ["b is 2, not None"]


def test_the_checker_reports_an_unfinished_change_only_if_it_is_half_done() -> None:
    lines: list[dict[str, object]] = [{"verb": 0, "changes": {"a": 1, "b": 2}}]
    assert _broken(lines, {}) == []
    assert _broken(lines, {"a": 1, "b": 2}) == []
    assert _broken(lines, {"a": 1}) == ["verb 0 is half done: {'a': True, 'b': False}"]
