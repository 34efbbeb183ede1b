"""Sizes in bytes, as people write and read them."""

import pytest

from bridge.lib.sizes import parse, spelled


@pytest.mark.parametrize(
    ("text", "size"),
    [("500", 500), ("500K", 500_000), ("100M", 10**8), (" 2 g ", 2 * 10**9), ("5MB", 5_000_000), ("1B", 1)],
)
def test_a_size_is_a_number_and_a_unit(text: str, size: int) -> None:
    assert parse(text) == size


@pytest.mark.parametrize("text", ["", "0", "0M", "M", "-1M", "1.5M", "1T", "1001G", "9" * 13, "١M"])
def test_what_is_no_size_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        parse(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 KB"),
        (12_345, "12 KB"),
        (999_960, "1.0 MB"),
        (2**21, "2.1 MB"),
        (5 * 10**9, "5.0 GB"),
        (2**53, "9007199 GB"),
    ],
)
def test_a_size_is_spelled_in_the_unit_that_fits(size: int, text: str) -> None:
    assert spelled(size) == text
