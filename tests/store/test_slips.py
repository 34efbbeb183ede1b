"""What workers keep together for a while: codes and wrong guesses."""

import pytest

from tests.shelves import Shelf, shelf

__all__ = ["shelf"]

pytestmark = pytest.mark.servers

NOW = 1_000_000_000.0


def test_a_slip_is_seen_by_another_worker_until_it_is_dropped_and_kinds_do_not_mix(shelf: Shelf) -> None:
    here, there = shelf.slips(), shelf.slips()
    here.keep("code", "one", "a body\n", NOW + 600, NOW)
    assert there.find("code", "one") == ("a body\n", NOW + 600)
    assert there.find("guess", "one") is None
    there.keep("code", "one", "another", NOW + 700, NOW)
    assert here.find("code", "one") == ("another", NOW + 700)
    there.drop("guess", "one")
    there.drop("code", "one")
    there.drop("code", "one")
    assert here.find("code", "one") is None


def test_many_slips_of_a_kind_push_out_the_oldest_of_them_and_none_of_another(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for engine in ("postgres", "redis"):
        monkeypatch.setattr(f"bridge.store.{engine}.users._SLIPS", 3)
    slips = shelf.slips()
    slips.keep("code", "one", "a body", NOW + 600, NOW)
    for number in range(5):
        slips.keep("guess", str(number), "3 1.0", NOW + 3_600 + number, NOW)
    assert slips.find("code", "one") is not None
    assert [name for name in "01234" if slips.find("guess", name) is not None] == ["2", "3", "4"]
    slips.keep("code", "two", "a body", NOW + 10_000, NOW + 601)
    assert slips.find("code", "one") is None, "it has run out"
