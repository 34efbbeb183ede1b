"""What hypothesis makes up: texts as hostile people write them."""

import operator

from hypothesis import strategies as st

_INVISIBLE = " \t\n\r\u00a0\u200b\u2028\u3000\ufe0f"


def runs(chars: str = _INVISIBLE, most: int = 3000) -> st.SearchStrategy[str]:
    """Long runs of one character: blanks and invisible ones made readers of text slow, and lines empty."""
    return st.builds(operator.mul, st.sampled_from(chars), st.integers(1, most))


def with_runs(texts: st.SearchStrategy[str], chars: str = _INVISIBLE) -> st.SearchStrategy[str]:
    """`texts`, and others in which long runs of blanks stand between parts."""
    return texts | st.lists(texts | runs(chars), max_size=6).map("".join)
