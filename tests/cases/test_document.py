"""The page about what becomes of what people say."""

from collections import Counter

from tests.cases import CASES
from tests.cases.document import PAGE, document


def test_the_page_says_what_the_cases_say() -> None:
    assert PAGE.read_text() == document(CASES), "run scripts/what-becomes-what"


def test_each_case_of_a_direction_has_a_title_of_its_own() -> None:
    assert not [title for title, count in Counter((case.direction, case.title) for case in CASES).items() if count > 1]
