"""What clients may cost: requests, downloads, and bytes that are fetched in vain."""

from contextlib import ExitStack

import pytest

from bridge.http.limits import DownloadSlots, NotServed, RequestRates


def refused(rates: RequestRates, address: str, now: float) -> str:
    """The `Retry-After` of a request; '' if it is let through."""
    try:
        rates.spend(address, now)
    except NotServed as error:
        return error.headers["Retry-After"]
    return ""


def test_an_address_that_asks_too_often_waits_and_others_do_not() -> None:
    rates = RequestRates()
    assert [refused(rates, "a", 0) for _ in range(61)] == [""] * 60 + ["1"]
    assert refused(rates, "b", 0) == ""
    assert refused(rates, "a", 0.5) == ""


def test_bytes_that_are_fetched_to_be_skipped_count_as_requests() -> None:
    rates = RequestRates()
    rates.spend_bytes("a", 4_999_999, 0)
    assert [refused(rates, "a", 0) for _ in range(61)] == [""] * 60 + ["1"]
    rates.spend_bytes("b", 100_000_000, 0)
    assert [refused(rates, "b", 0) for _ in range(41)] == [""] * 40 + ["1"]
    for _ in range(9):
        rates.spend_bytes("c", 10**15, 0)
    assert refused(rates, "c", 0) == "31", "the debt is bounded"


def test_all_together_are_counted_only_with_links_that_are_ours() -> None:
    rates = RequestRates()
    for number in range(1_000):
        rates.spend(f"{number}", 0)
    for _ in range(300):
        rates.spend_for_all(0)
    with pytest.raises(NotServed):
        rates.spend_for_all(0)
    rates.spend_for_all(0.1)


def test_where_all_places_are_taken_the_slowest_download_gives_way_to_the_next() -> None:
    slots, cut = DownloadSlots(), []
    with ExitStack() as stack:
        each = [
            stack.enter_context(slots.one(f"{number // 2}", 0.0, lambda number=number: cut.append(number)))  # type: ignore[misc]
            for number in range(10)
        ]
        for number, running in enumerate(each):
            running.sent = 1_000_000 + number
        with pytest.raises(NotServed), slots.one("new", 29.0, lambda: None):
            pytest.fail("a place too many")
        each[3].sent = 500_000
        with pytest.raises(NotServed), slots.one("new", 29.9, lambda: None):
            pytest.fail("it is too early to tell who is slow")
        with slots.one("new", 35.0, lambda: None):
            assert (cut, len(slots)) == ([3], 10)
            with pytest.raises(NotServed), slots.one("other", 35.0, lambda: None):
                pytest.fail("the others are fast enough")
    assert len(slots) == 0


def test_one_address_has_four_places_and_does_not_drive_out_others() -> None:
    slots, cut = DownloadSlots(), []
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(slots.one("a", 0.0, lambda: cut.append("a")))
        with pytest.raises(NotServed), slots.one("a", 1_000.0, lambda: None):
            pytest.fail("a place too many")
    assert cut == []
