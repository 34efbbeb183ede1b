"""docs/reference/metrics.md says what the daemon shows."""

from tests.reference import metrics


def test_the_page_of_metrics_is_fresh() -> None:
    assert metrics.PATH.read_text() == metrics.page(), "write `page()` to `PATH`"
