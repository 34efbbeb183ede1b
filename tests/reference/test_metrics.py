"""docs/reference/metrics.md says what the daemon shows."""

from pathlib import Path

from tests.reference import metrics


def test_the_page_of_metrics_is_fresh() -> None:
    page = Path(__file__).parents[2] / metrics.PATH
    assert page.read_text() == metrics.page(), "write `page()` to `PATH`"
