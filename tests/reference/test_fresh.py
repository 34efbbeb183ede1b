"""The pages of docs/reference say what the program says of itself."""

import pytest

from tests.reference import ROOT, Page, pages


@pytest.mark.parametrize("made", pages(), ids=lambda made: made.PATH)
def test_a_generated_page_is_up_to_date(made: Page) -> None:
    assert (ROOT / made.PATH).read_text() == made.page(), "run `make page`"


def test_configuration_commands_and_log_events_have_pages() -> None:
    names = ("configuration", "commands", "log-events")
    assert {made.PATH for made in pages()} >= {f"docs/reference/{name}.md" for name in names}
