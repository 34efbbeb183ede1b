"""What becomes of what people say: one table, played on real servers and printed in docs/what-becomes-what.md."""

from tests.cases.case import Case, Direction
from tests.cases.to_irc import CASES as TO_IRC
from tests.cases.to_matrix import CASES as TO_MATRIX

CASES: tuple[Case, ...] = (*TO_IRC, *TO_MATRIX)

__all__ = ["CASES", "Case", "Direction"]
