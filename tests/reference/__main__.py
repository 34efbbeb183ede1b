"""`python -m tests.reference` writes the pages of docs/reference anew."""

import sys

from tests.reference import ROOT, pages

if __name__ == "__main__":
    for each in pages():
        (ROOT / each.PATH).write_text(each.page())
        sys.stdout.write(f"{each.PATH}\n")
