"""What the pages name is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_tests_that_the_page_about_security_names_exist() -> None:
    named = re.findall(r"`([a-z_]+/(?:[a-z_]+/)*test_[a-z_]+\.py)`", (ROOT / "docs" / "security.md").read_text())
    assert len(named) > 30
    assert [each for each in named if not (ROOT / "tests" / each).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target
