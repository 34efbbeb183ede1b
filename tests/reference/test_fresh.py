"""The pages of docs/reference say what the program says of itself."""

import pytest

from tests.reference import FOLDER, Page, pages


@pytest.mark.parametrize("made", pages(), ids=lambda made: made.PATH.stem)
def test_a_generated_page_is_up_to_date(made: Page) -> None:
    assert made.PATH.read_text() == made.page(), "run `make page`"


def test_configuration_commands_and_log_events_have_pages() -> None:
    assert {made.PATH for made in pages()} >= {
        FOLDER / f"{name}.md" for name in ("configuration", "commands", "log-events")
    }
