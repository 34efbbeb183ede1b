"""Text on its way between Matrix (HTML) and IRC (formatting codes)."""

import re
from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.irc.dialect import formatting
from bridge.irc.dialect.operations import Say, decode
from bridge.irc.dialect.palette import colour, number
from bridge.irc.dialect.place import Place
from bridge.irc.dialect.render import render
from bridge.matrix.dialect.html import LIMIT, read, write
from bridge.model.event import Event, Message, Room
from bridge.model.outbox import Owed
from bridge.model.people import Sender
from bridge.model.text import Span, Text, lines, merge, plain, printable
from bridge.network import PermanentError
from tests.strategies import html, runs

_CODES = [chr(code) for code in (2, 3, 4, 15, 17, 22, 29, 30, 31)]
_PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\u00a0"), max_size=20)
"""All signs but control characters, halves of pairs, and the no-break space, which stands for a blank in HTML."""
_COLOURS = st.from_regex(r"\x03([0-9]{1,2}(,[0-9]{1,2})?)?", fullmatch=True)
_HEX = st.from_regex(r"\x04([0-9a-fA-F]{6}(,[0-9a-fA-F]{6})?)?", fullmatch=True)
_PARTS = _PRINTABLE | st.sampled_from(_CODES) | _COLOURS | st.sampled_from([",", ",5", "42", "||", "a", "  "])
_HARD = re.compile("[\x00-\x1f\x7f-\x9f]")
_ON_IRC = "".join(_CODES)


@given(st.lists(_PARTS | runs(" ,<&", 50), max_size=12).map("".join).filter(lambda said: "\x04" not in said))
@example("\x0304\x02\x02,5 \x0399,12,5\x034,4,\x16\x031,00\x16,")
def test_irc_text_keeps_its_words_styles_and_colours_over_matrix(said: str) -> None:
    text = formatting.parse(said)
    carried = read(write(text))
    assert carried is not None
    assert carried.text == text
    assert formatting.parse(formatting.encode(carried.text)) == text
    assert plain(text) == formatting.stripped(said)


@given(st.lists(_PARTS | _HEX, max_size=12).map("".join))
def test_irc_text_in_hex_colours_comes_back_from_matrix_in_the_nearest_colours(said: str) -> None:
    text = formatting.parse(said)
    carried = read(write(text))
    assert carried is not None
    assert carried.text == text
    assert formatting.parse(formatting.encode(carried.text)) == merge(map(_nearest, text))


def _nearest(span: Span) -> Span:
    fg, bg = (colour(number(one)) if one else "" for one in (span.fg, span.bg))
    return replace(span, fg=fg, bg="" if fg == bg else bg)


@settings(max_examples=300)
@given(html(), st.booleans())
def test_any_html_becomes_lines_that_both_networks_can_show(said: str, by_id: bool) -> None:
    found = read(said, by_id=by_id)
    if found is None:
        return
    assert len(plain(found.text).encode(errors="replace")) <= LIMIT
    assert merge(found.text) == found.text
    for line in _irc_lines(found.text):
        assert line.startswith("<Ann> ")
        assert not _HARD.search(line.translate(dict.fromkeys(map(ord, _ON_IRC))))
        assert len(formatting.stripped(line).splitlines()) == 1
    for spans in lines(found.text):
        clean = tuple(span.with_text(printable(span.text)) for span in spans)
        written = write(clean)
        assert not _HARD.search(written)
        again = read(written)
        assert again is not None
        assert plain(again.text).replace("\u00a0", " ") == plain(clean).replace("\u00a0", " ")
        assert {span.mention for span in again.text} <= {span.mention for span in found.text}
    assert {span.mention for span in found.text if span.mention} <= found.people


@given(html(), st.integers(1, 3))
@example("&#x2028;b<br>c<div>&#x2029;d</div><pre>e\n\nf&#11;g</pre>", 2)
def test_what_is_quoted_has_a_sign_before_each_line_and_mentions_nobody(said: str, depth: int) -> None:
    inside = re.sub("</?(?:blockquote|table|tr|td|th|caption|thead|tbody|li)", "<x", said.replace("<!--", ""))
    found = read("<blockquote>" * depth + f"a{inside}</x>" + "</blockquote>" * depth)
    if found is None:
        return
    assert not found.people
    quoted = plain(found.text).splitlines()
    assert all(line.startswith("> " * depth) for line in quoted if line)


def _irc_lines(text: Text) -> list[str]:
    event = Event("$1", Room("home", "!pond"), Sender("home", "@ann:hs", "Ann"), 0.0, Message(text))
    try:
        posts = render([Owed("d", Room("net", "#pond"), event)], Place())
    except PermanentError:
        return []
    said = [decode(post.payload) for post in posts]
    return [each.text for each in said if isinstance(each, Say)]
