"""What hypothesis makes up: texts as hostile people write them."""

import operator

from hypothesis import strategies as st

from bridge.model.text import Span, Style

_INVISIBLE = " \t\n\r\u00a0\u200b\u2028\u3000\ufe0f"


def runs(chars: str = _INVISIBLE, most: int = 3000) -> st.SearchStrategy[str]:
    """Long runs of one character: blanks and invisible ones made readers of text slow, and lines empty."""
    return st.builds(operator.mul, st.sampled_from(chars), st.integers(1, most))


def with_runs(texts: st.SearchStrategy[str], chars: str = _INVISIBLE) -> st.SearchStrategy[str]:
    """`texts`, and others in which long runs of blanks stand between parts."""
    return texts | st.lists(texts | runs(chars), max_size=6).map("".join)


def colours() -> st.SearchStrategy[str]:
    """No colour, one of IRC's, or any other."""
    known = st.sampled_from(["#ff0000", "#00007f", "#ffffff", "#000000", "#b2ff00", "#131313"])
    return st.just("") | known | st.integers(0, 0xFFFFFF).map("#{:06x}".format)


def looks(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Span]:
    """Spans of `texts` in any styles and colours."""
    return st.builds(Span, texts, st.integers(0, 63).map(Style), st.none(), colours(), colours())
