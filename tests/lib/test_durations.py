"""Durations, as people write and read them."""

import pytest

from bridge.lib.durations import parse, spelled


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1_800), ("12H", 43_200), (" 7 d ", 604_800), ("2w", 1_209_600)]
)
def test_a_number_and_a_unit_is_a_duration(text: str, seconds: float) -> None:
    assert parse(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "-1h", "1", "h", "1.5h", "1y", "999999w", "1h30m", "٣h\n1h"])
def test_text_that_is_not_one_number_and_one_unit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse(text)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.4, "0 seconds"),
        (1, "1 second"),
        (119, "1 minute"),
        (7_200, "2 hours"),
        (200_000, "2 days"),
        (-5, "0 seconds"),
    ],
)
def test_a_duration_is_spelled_in_its_largest_unit(seconds: float, told: str) -> None:
    assert spelled(seconds) == told
