"""`python -m tests.cases` writes docs/what-becomes-what.md."""

from tests.cases import CASES
from tests.cases.document import PAGE, document

if __name__ == "__main__":
    PAGE.write_text(document(CASES))
