"""Text without styles and links: people still know what is a link, code and a spoiler."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.readable import readable
from bridge.model.text import LINE_END, Span, Style, Text, lines, plain, words
from tests.strategies import looks

_POND = "https://pond.social/a"
_LINES = st.lists(looks(st.text(max_size=20) | st.sampled_from(["\n", "\r\n", "\u2028", "a\tb", " "])), max_size=6)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ((Span("the pond", link=_POND),), f"the pond ({_POND})"),
        ((Span("the "), Span("pond", Style.BOLD, _POND), Span(" is ", link=_POND)), f"the pond is ({_POND}) "),
        ((Span("pond.social/a", link=_POND),), "pond.social/a"),
        ((Span(_POND, link=_POND),), _POND),
        ((Span(f"see {_POND} there", link=_POND),), f"see {_POND} there"),
        ((Span("a "), Span("b", Style.MONO), Span(" c")), "a `b` c"),
        ((Span("def quack():\n    return 1", Style.MONO),), "def quack():\n    return 1"),
        ((Span("who: "), Span("the\nduck", Style.SPOILER)), "who: ||the||\n||duck||"),
        ((Span("x", Style.SPOILER, _POND),), f"||x ({_POND})||"),
        (words("> so they said\r\n• a\n  • b\x0b3. c"), "> so they said\n• a\n  • b\n3. c"),
        (words("a\tb\x1b[31mc\u202ed"), "a    b [31mcd"),
        (words("one\n\ntwo\n"), "one\n\ntwo\n"),
        ((), ""),
    ],
)
def test_signs_stand_for_what_plain_text_cannot_show(text: Text, shown: str) -> None:
    assert readable(text) == shown


@given(_LINES.map(tuple))
def test_every_line_is_one_and_none_has_control_characters(text: Text) -> None:
    shown = readable(text).split("\n")
    assert len(shown) in (len(LINE_END.split(plain(text))), len([*lines(text)]))
    assert not any(LINE_END.search(line) for line in shown)
    assert not any(ord(sign) < 32 or sign == "\x7f" for line in shown for sign in line)
