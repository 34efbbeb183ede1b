import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.markdown import LIMIT, read
from bridge.model.text import Span, Style, plain


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("hi", "hi"),
        ("# Head\n\ntext\nmore", "Head\ntext\nmore"),
        ("* a\n* b\n  1. c\n  2. d", "• a\n• b\n  1. c\n  2. d"),
        ("7. a\n8. b", "7. a\n8. b"),
        ("> quote\n> more\n\nafter", "> quote\n> more\nafter"),
        ("```py\ncode\n  two\n```\n---", "code\n  two\n―――"),
        ("<b>html</b> &amp; <script>", "<b>html</b> & <script>"),
        ("[here](http://pond.social)", "here"),
        ("[here](javascript:x)", "[here](javascript:x)"),
        (" \n\n", ""),
    ],
)
def test_markdown_is_shown_as_lines_of_a_chat(markdown: str, shown: str) -> None:
    assert plain(read(markdown)) == shown


def test_styles_and_links_are_kept_and_unsafe_links_are_not() -> None:
    assert read("**a** *b* ~~c~~ `d`") == (
        Span("a", Style.BOLD),
        Span(" "),
        Span("b", Style.ITALIC),
        Span(" "),
        Span("c", Style.STRIKE),
        Span(" "),
        Span("d", Style.MONO),
    )
    assert read("[x](https://a.b)") == (Span("x", link="https://a.b"),)
    assert all(span.link is None for span in read("[x](data:text/html,y) [y](file:///etc/passwd)"))


@given(st.text(alphabet=st.sampled_from("ab*_`~[]()#>-1.!<&\n \\"), max_size=300) | st.text(max_size=100))
def test_anything_is_read_and_is_no_longer_than_some_times_itself(markdown: str) -> None:
    assert len(plain(read(markdown))) <= 50 * len(markdown) + 50


@pytest.mark.parametrize("part", ["*a_ ", "[", "`", "> ", "[a](", "![", "<", "- ", "`a``", "\\[", "1. "])
def test_a_long_answer_is_cut_and_read_within_the_tests_time(part: str) -> None:
    assert len(plain(read(part * 20_000))) <= 5 * LIMIT
