"""What the pages name is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
KNOWN_TO_COME: frozenset[str] = frozenset()
"""Pages that are linked to before they are written. Empty it as soon as they are there."""


def test_tests_that_the_page_about_security_names_exist() -> None:
    named = re.findall(r"`([a-z_]+/(?:[a-z_]+/)*test_[a-z_]+\.py)`", (ROOT / "docs" / "security.md").read_text())
    assert len(named) > 30
    assert [each for each in named if not (ROOT / "tests" / each).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    assert [target for target in _links(page.read_text()) if not _leads_somewhere(page, target)] == []


def test_no_page_is_known_to_come_that_is_there() -> None:
    assert [name for name in sorted(KNOWN_TO_COME) if (ROOT / name).exists()] == []


def test_the_index_of_the_docs_names_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    pages = [page.relative_to(ROOT / "docs") for page in PAGES if (ROOT / "docs") in page.parents]
    named = {target.partition("#")[0] for target in _links(index)}
    assert [
        str(page) for page in pages if str(page) not in named | {"README.md"} and page.parts[0] != "decisions"
    ] == []


def test_broken_links_and_anchors_are_noticed(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text("# A `b` (c): d_e\n\n## Twice\n\n## Twice\n")
    for target in ("a.md", "#a-b-c-d_e", "a.md#twice", "a.md#twice-1"):
        assert _leads_somewhere(page, target), target
    for target in ("b.md", "#b", "a.md#twice-2"):
        assert not _leads_somewhere(page, target), target
    assert [*_links("[x](a.md#b) [y](https://pond.social) ![z](p.png) `[n](o)`")] == ["a.md#b", "p.png"]


def _links(text: str) -> Iterator[str]:
    """The relative links of a page, outside of code."""
    text = re.sub(r"(?ms)^```.*?^```|^    .*?$|`[^`\n]*`", "", text)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            yield target


def _leads_somewhere(page: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    there = (page.parent / name).resolve() if name else page
    if not there.exists():
        return there.is_relative_to(ROOT) and str(there.relative_to(ROOT)) in KNOWN_TO_COME
    return not anchor or anchor in _anchors(there.read_text())


def _anchors(text: str) -> set[str]:
    """The anchors of the headings of a page, as GitHub makes them."""
    found: dict[str, int] = {}
    anchors = set()
    for title in re.findall(r"(?m)^#+ +(.*?) *$", re.sub(r"(?ms)^```.*?^```", "", text)):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title)
        anchor = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        anchors.add(f"{anchor}-{found[anchor]}" if anchor in found else anchor)
        found[anchor] = found.get(anchor, 0) + 1
    return anchors
