"""HTML of Matrix messages to spans and back (bridge.matrix.dialect.html)."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.matrix.dialect.html import LIMIT, Read, read, safe_link, write
from bridge.model.text import Span, Style, Text, merge, plain
from tests.strategies import looks, runs, with_runs
from tests.work import growth, lines

_WORDS = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\u00a0") | st.sampled_from("\n <>&\"'`/="),
    min_size=1,
)
_STYLES = st.integers(0, 63).map(Style)
_LINKED = _WORDS.map(lambda words: words.replace("\n", " "))
_LINKS = st.sampled_from(['https://example.org/?a=1&b="2"\'<x>', "http://h", "mailto:a@b.c"])
_TEXTS = st.lists(looks(_WORDS) | st.builds(Span, _LINKED, _STYLES, _LINKS), max_size=8).map(merge)


def spans(html: str) -> Text:
    found = read(html)
    assert found is not None
    return found.text


@given(_TEXTS)
def test_spans_written_as_html_are_read_back_as_the_same_spans(text: Text) -> None:
    assert spans(write(text)) == merge(_as_seen(span) for span in text)


def _as_seen(span: Span) -> Span:
    """`span` without colours that hide its text."""
    hides = span.fg and span.fg == span.bg
    return replace(span, style=span.style | Style.SPOILER, fg="", bg="") if hides else span


@given(with_runs(st.text()))
def test_reading_any_text_as_html_does_not_raise_and_keeps_within_the_limit(html: str) -> None:
    found = read(html)
    assert found is None or len(plain(found.text).encode()) <= LIMIT


@given(
    st.lists(
        st.sampled_from(["<b>", "</b>", "<a href=x>", "<table>", "<li>", "<", "</p>", "<!--", "x", "\n", "&#x0;"])
        | runs()
    )
)
def test_broken_markup_does_not_raise(parts: list[str]) -> None:
    found = read("".join(parts))
    assert found is None or isinstance(found.text, tuple)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<b>a</b><strong>b</strong>", (Span("ab", Style.BOLD),)),
        ("<i>a</i><em>b</em>", (Span("ab", Style.ITALIC),)),
        ("<u>a</u>", (Span("a", Style.UNDERLINE),)),
        ("<del>a</del><s>b</s>", (Span("ab", Style.STRIKE),)),
        ("<code>a  b</code>", (Span("a  b", Style.MONO),)),
        ("<span data-mx-spoiler>a</span>", (Span("a", Style.SPOILER),)),
        ("<span data-mx-spoiler='why'>a</span>", (Span("(why) "), Span("a", Style.SPOILER))),
        ("<span data-mx-spoiler=' so\nwhy'>a</span>", (Span("(so why) "), Span("a", Style.SPOILER))),
        ("<span data-mx-color='#fff'>a</span>", (Span("a"),)),
        ("<span data-mx-color='#FF0000'>a</span>", (Span("a", fg="#ff0000"),)),
        ("<span data-mx-bg-color='#00ff00'>a</span>", (Span("a", bg="#00ff00"),)),
        ("<font color='#ff0000' data-mx-bg-color='#00ff00'>a</font>", (Span("a", fg="#ff0000", bg="#00ff00"),)),
        ("<font color='Red'>a</font><font color='#f00'>b</font>", (Span("a", fg="#ff0000"), Span("b"))),
        ("<font color='red' data-mx-color='#0000ff'>a</font>", (Span("a", fg="#0000ff"),)),
        ("<div data-mx-color='#ff0000'>a<span data-mx-color='#zz0000'>b</span></div>", (Span("ab", fg="#ff0000"),)),
        ("<span data-mx-color='#010101'><b data-mx-bg-color='x'>a</b></span>", (Span("a", Style.BOLD, fg="#010101"),)),
        ("<font data-mx-color='#010101' data-mx-bg-color='#010101'>a</font>", (Span("a", Style.SPOILER),)),
        ("<span data-mx-spoiler data-mx-color='#010101'>a</span>", (Span("a", Style.SPOILER, fg="#010101"),)),
        ("<b>a<i>b</i></b>", (Span("a", Style.BOLD), Span("b", Style.BOLD | Style.ITALIC))),
        ("<a href='https://x.y/z'>a</a>", (Span("a", link="https://x.y/z"),)),
        ("<a href='javascript:alert(1)'>a</a>", (Span("a"),)),
        ("<a href='//x.y'>a</a><a>b</a>", (Span("ab"),)),
        ("a<img src='mxc://x/y' alt='cat'>b", (Span("acatb"),)),
        ("a<script>alert(1)</script><style>b{}</style><mx-reply>c</mx-reply>d", (Span("ad"),)),
        ("a<!-- b -->c", (Span("ac"),)),
        ("&lt;b&gt;&amp;", (Span("<b>&"),)),
    ],
)
def test_each_html_element_becomes_the_span_that_matches_it(html: str, text: Text) -> None:
    assert spans(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p>\n<p>b</p>", "a\nb"),
        ("a<br>b<br/>\nc", "a\nb\nc"),
        ("<div>a</div><div>b</div>c", "a\nb\nc"),
        ("<blockquote>a</blockquote>b", "> a\nb"),
        ("<ul>\n<li>a</li>\n<li>b</li>\n</ul>c", "• a\n• b\nc"),
        ("<ol><li>a</li><li><p>b</p></li></ol>", "1. a\n2. b"),
        ("<ol start='13'><li>a<li>b</ol>", "13. a\n14. b"),
        ("<ol start='-1'><li>a<li>b</ol>", "-1. a\n0. b"),
        ("<ol start='x'><li>a<li value='7'>b<li>c</ol>", "1. a\n7. b\n8. c"),
        ("<ol start='99999999999'><li>a</ol>", "1. a"),
        ("<ul><li>a<ul><li>b<ol><li>c</ol></ul><li>d</ul>", "• a\n  • b\n    1. c\n• d"),
        ("a<blockquote>b<br>c</blockquote>d", "a\n> b\n> c\nd"),
        ("<blockquote><p>a</p><blockquote>b</blockquote></blockquote>c", "> a\n> > b\nc"),
        ("<blockquote><pre>a\n  b</pre></blockquote>c", "> a\n>   b\nc"),
        ("<blockquote><ul><li>a<li>b</ul></blockquote>", "> • a\n> • b"),
        ("<blockquote>a&#x2028;b&#x2029;</blockquote>c", "> a\n> b\nc"),
        ("<ul><li>a<blockquote>b<br>c</blockquote></ul>", "• a\n  > b\n  > c"),
        ("<ul><li><p>a</p><p>b</p></li><li>c<br>d</li></ul>e", "• a\n  b\n• c\n  d\ne"),
        ("<ul><li>a<pre>b\nc</pre></ul>", "• a\n  b\n  c"),
        ("<ul><li></li><li>b</li></ul>c", "• \n• b\nc"),
        ("<blockquote>" * 30 + "a<br>b", "> " * 8 + "a\n" + "> " * 8 + "b"),
        ("<ul><li>a" * 30, "\n".join(f"{'  ' * min(depth, 8)}• a" for depth in range(30))),
        ("<ul><ul><li>a</ul><li>b</ul>", "  • a\n• b"),
        ("<ol reversed><li>a<li>b<ol reversed start=8><li>c<li>d</ol><li>e</ol>", "3. a\n2. b\n  8. c\n  7. d\n1. e"),
        ("<ol type='a' start='26'><li>a<li>b</ol>", "z. a\naa. b"),
        ("<ol type='A' start='0'><li>a<li>b<li value='703'>c</ol>", "0. a\nA. b\nAAA. c"),
        ("<ol type='i' start='3'><li>a<li>b<li value='3999'>c<li>d</ol>", "iii. a\niv. b\nmmmcmxcix. c\n4000. d"),
        ("<ol type='I' start='-1'><li>a<li value='1999'>b</ol>", "-1. a\nMCMXCIX. b"),
        ("<ol type='x'><li>a</ol>", "1. a"),
        ("10<sup>6</sup>", "10^6"),
        ("x<sup>n+1</sup> e<sup>-x</sup> a<sup><b>2</b></sup> b<sup></sup>", "x^(n+1) e^-x a^2 b"),
        ("H<sub>2</sub>O x<sub>i, j</sub> y<sub>a<i>b</i></sub>", "H_2O x_(i, j) y_(ab)"),
        ("so<sup><a href='https://x.y/'>[1]</a></sup>", "so^[1]"),
        ("<span data-mx-maths='\\frac{1}\n{2}'>1/<img alt='2'></span> is", "$\\frac{1} {2}$ is"),
        ("a<div data-mx-maths='x^2'><p>x</p></div>b", "a\n$x^2$\nb"),
        ("<span data-mx-maths=''>x</span>", "x"),
        ("a<hr>b<hr>", "a\n---\nb\n---"),
        ("<details><summary>a</summary><p>b</p>c</details>d", "a\nb\nc\nd"),
        ("<img data-mx-emoticon alt=':duck:' title='x'><img data-mx-emoticon alt='duck'>", ":duck::duck:"),
        ("<img data-mx-emoticon title='the_duck'><img data-mx-emoticon alt='🦆'>", ":the_duck:🦆"),
        ("<img alt='a\n&lt;b> c'><img title='d'><img>", "a <b> cd[image]"),
        ("<p>a</p><p></p><p>b<br></p>\n<p>c</p>", "a\nb\nc"),
        ("<p>a</p><br><p>b</p>", "a\n\nb"),
        ("a<br><br>b<br>", "a\n\nb\n"),
        ("<table><caption>c</caption>\n<tr>\n<th>a</th>\n<th></th>\n</tr>\n</table>d", "c\na | \nd"),
        ("<table><tr><td></td><td><p>a</p><p>b</p></td><td>c<br>d<br></td></tr></table>", " | a b | c d"),
        ("<table><tr><td><ul><li>a<li>b</ul></td><td>c</td></tr></table>", "• a\n• b\n | c"),
        ("<table><tr><td>New York</td><td>London</td></tr></table>", "New York | London"),
        ("a\nb\n\n c", "a b c"),
        ("<pre><code>a\n  b\n</code></pre>c", "a\n  b\nc"),
        ("<h1>a</h1>b", "a\nb"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a | b\nc"),
    ],
)
def test_block_elements_become_lines(html: str, text: str) -> None:
    assert plain(spans(html)) == text


def test_a_pill_is_read_as_the_persons_name_without_url_and_as_a_mention() -> None:
    found = read("<a href='https://matrix.to/#/%40duck%3Ahs?via=hs'>Duck</a>: hi <a href='matrix:u/ann:hs'>Ann</a>")
    assert found is not None
    assert found.text == (Span("Duck", mention="@duck:hs"), Span(": hi "), Span("Ann", mention="@ann:hs"))
    assert found.people == {"@duck:hs", "@ann:hs"}


@pytest.mark.parametrize("by_id", [False, True])
@pytest.mark.parametrize(
    "html",
    [
        "<blockquote>{}: hi</blockquote>yes",
        "<blockquote><ul><li><b>{}</b>: hi</ul></blockquote>yes",
        "<mx-reply><blockquote>In reply to {}<br>hi</blockquote></mx-reply>yes",
        "<blockquote>" * 30 + "{}" + "</blockquote>" * 30 + "yes",
    ],
)
def test_a_pill_inside_a_quotation_is_no_mention(html: str, by_id: bool) -> None:
    found = read(html.format("<a href='https://matrix.to/#/@duck:hs'>Duck</a>"), by_id=by_id)
    assert found is not None
    assert plain(found.text).endswith("yes")
    assert found.people == frozenset()
    assert not any(span.mention or span.link for span in found.text)


@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("@alice:hs", "https://matrix.to/#/@alice:hs"),
        ("@a/b?c#d%e:hs:8448", "https://matrix.to/#/@a%2Fb%3Fc%23d%25e:hs:8448"),
        ("@a&b:hs", "https://matrix.to/#/@a&amp;b:hs"),
    ],
)
def test_a_mention_is_written_as_a_pill_and_read_back(address: str, link: str) -> None:
    text = (Span("Al", Style.BOLD, mention=address), Span(": hi"))
    assert write(text) == f'<a href="{link}"><strong>Al</strong></a>: hi'
    assert spans(write(text)) == text


@pytest.mark.parametrize("address", ["alice", "@alice", "#pond:hs", 'x"><script>', "@a\n:hs"])
def test_what_is_no_matrix_id_is_not_written_as_a_pill(address: str) -> None:
    assert write((Span("Al", mention=address),)) == "Al"


@pytest.mark.parametrize(
    "link", ["https://matrix.to/#/%23pond:hs?via=hs", "matrix:r/pond:hs", "matrix:roomid/x:hs/e/y"]
)
def test_a_link_to_a_room_or_an_event_is_text_with_its_address_and_mentions_nobody(link: str) -> None:
    found = read(f"<a href='{link}'>pond</a>")
    assert found == Read((Span("pond", link=link),), frozenset())


@pytest.mark.parametrize(
    ("html", "linked"),
    [
        ("<a href='https://x.y/'>a<br>b <b>c</b></a> d", ["b ", "c"]),
        ("<a href='https://x.y/'><p>a</p><p>b</p></a>", ["b"]),
        ("<a href='https://x.y/'>a<br></a>b", ["a\n"]),
        ("<a href='https://x.y/'>a</a><br><a href='https://x.y/'>b</a>", ["a", "b"]),
        ("<p><a href='https://x.y/'>a</a></p><p><a href='https://x.y/'>b</a></p>", ["a", "b"]),
        ("<a href='https://x.y/'>a<a href='https://z.y/'>b</a>c</a>", ["a", "b"]),
    ],
)
def test_an_address_of_a_link_over_several_lines_is_said_in_the_last_of_them(html: str, linked: list[str]) -> None:
    assert [span.text for span in spans(html) if span.link] == linked


def test_colours_are_written_for_clients_that_follow_the_spec_and_for_those_that_know_only_font() -> None:
    assert write((Span("<", Style.BOLD, None, "#ff0000"),)) == (
        '<strong><span data-mx-color="#ff0000"><font color="#ff0000">&lt;</font></span></strong>'
    )


def test_text_is_not_coloured_for_clients_that_cannot_show_what_is_behind_it() -> None:
    assert write((Span("x", fg="#ffffff", bg="#000000"),)) == (
        '<span data-mx-color="#ffffff" data-mx-bg-color="#000000">x</span>'
    )
    assert write((Span("x", bg="#00ff00"),)) == '<span data-mx-bg-color="#00ff00">x</span>'
    assert write((Span("x", fg='"><b>', bg="red"),)) == "x"


def test_plain_text_is_written_without_tags() -> None:
    assert write((Span("a < b & c"),)) == "a &lt; b &amp; c"


@pytest.mark.parametrize("tags", ["<b>", "<div>", "<blockquote>", "<a><table>", "<ol><li>", "<b><div>", "<span></b>"])
def test_deep_nesting_is_harmless(tags: str) -> None:
    """Ten thousand open tags are not read at all; a few hundred are read with work in proportion."""
    assert read(tags * 10_000 + "x") is None
    assert plain(spans(tags * 400 + "x")).endswith("x")
    assert growth(lambda size: spans(tags * size + "x"), 200) < 3


def test_the_text_of_html_is_cut_to_the_limit() -> None:
    assert len(plain(spans("<li>" * 2000 + "é" * LIMIT)).encode()) <= LIMIT


@pytest.mark.parametrize(
    "url", ["javascript:x", "data:text/html,x", "http:/x", "https://a b", "https://a\nb", "HTTP", ""]
)
def test_unsafe_and_malformed_urls_are_not_linked(url: str) -> None:
    assert safe_link(url) is None
    assert "<a" not in write((Span("x", link=url),))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h/x",
        "matrix:r/pond:hs",
        "mailto:a@b.c",
        "xmpp:a@b.c",
        "irc://h/%23pond",
        "irc:#pond",
        "magnet:?xt=x",
        "tel:1",
    ],
)
def test_a_link_to_a_file_a_person_or_a_room_keeps_its_address(url: str) -> None:
    text = (Span("here", link=url),)
    assert spans(f'<a href="{url}">here</a>') == text
    assert spans(write(text)) == text


def test_blanks_that_html_would_not_show_are_written_as_no_break_spaces() -> None:
    bold = (Span("a ", Style.BOLD), Span(" b\n c  d e"))
    assert write(bold) == "<strong>a </strong>\u00a0b<br>\u00a0c\u00a0 d e"


def test_a_numbered_list_counts_on_after_an_inner_list_and_a_long_one_is_read_quickly() -> None:
    found = read("<ol><li>a<ol><li>b</li><li>c</li></ol></li><li>d</li></ol>")
    assert found is not None
    assert plain(found.text) == "1. a\n  1. b\n  2. c\n2. d"
    assert growth(lambda size: read("<ol>" + "<li>" * size), 900) < 3


def test_a_pill_can_be_read_as_the_matrix_id_instead_of_the_shown_name() -> None:
    html = 'add-user bob --matrix <a href="https://matrix.to/#/%40bob%3Ahs?via=x">Bob <b>B.</b></a> --role member'
    for by_id, text in (
        (True, "add-user bob --matrix @bob:hs --role member"),
        (False, "add-user bob --matrix Bob B. --role member"),
    ):
        found = read(html, by_id=by_id)
        assert found is not None
        assert plain(found.text) == text
        assert found.people == {"@bob:hs"}
    twice = read('<a href="matrix:u/bob:hs">x</a> <a href="matrix:u/bob:hs">y</a>', by_id=True)
    assert twice is not None
    assert plain(twice.text) == "@bob:hs @bob:hs"


def test_a_pill_with_an_invalid_id_is_read_as_its_shown_text() -> None:
    found = read('<a href="https://matrix.to/#/@b%0Aob:hs">Bob</a>', by_id=True)
    assert found is not None
    assert plain(found.text) == "Bob"


_SIZES = (15_000, 30_000, 60_000)
_HEAVY: dict[str, Callable[[int], str]] = {
    "blanks": lambda size: "a" + " " * size + "b",
    "blanks and tabs": lambda size: "a" + " \t" * (size // 2) + "b",
    "line breaks": lambda size: "\n" * size,
    "entities": lambda size: "&" * size,
    "tags that stay open": lambda size: "<b><i><p>" * (size // 100),
    "attributes": lambda size: "<a " + " ".join(f"a{number}" for number in range(size // 7)) + ">x</a>",
    "attributes without blanks": lambda size: "<a " + "".join(f'a{number}=""' for number in range(size // 9)) + ">",
    "attributes behind a hidden end": lambda size: '<a b" x=">" ' + "/".join(f"a{n}" for n in range(size // 7)) + ">",
    "an attribute again and again": lambda size: "<a " + "a " * (size // 2) + ">x",
    "open quotes": lambda size: '<a "' * (size // 60) + " " * (size // 2),
    "a long pill": lambda size: '<a href="https://matrix.to/#/@' + "%41" * (size // 3) + '">x</a>',
    "powers": lambda size: "<sup>" * (size // 50) + "x" * (size // 2),
    "reversed lists": lambda size: "<ol reversed>" * (size // 100) + "<li>" * (size // 50),
    "a list of many attributes": lambda size: f"<ol {' '.join(f'a{n}' for n in range(50))}>" + "<li>x" * (size // 50),
    "items in items": lambda size: "<ul><li>x" * (size // 100) + "y<br>" * (size // 100),
    "cells": lambda size: "<table>" + "<tr><td><td>x" * (size // 150) + "<p>y" * (size // 100),
    "tables in cells": lambda size: "<table><tr><td>x" * (size // 150),
    "colours": lambda size: "".join(f"<font color=#{n:06x}>x</font>" for n in range(size // 100)),
    "lines in links": lambda size: "<a href=http://x>" + "a<br>" * (size // 50) + "<a href=http://x>b" * (size // 150),
    "lines in a quotation": lambda size: "<blockquote><pre>" + "a\n" * (size // 2),
    "mathematics": lambda size: f"<span data-mx-maths='{'x ' * 200}'>" * (size // 500),
    "comments": lambda size: "<!--" + "-" * size,
}


@pytest.mark.parametrize("kind", _HEAVY)
def test_reading_html_takes_work_in_proportion_to_its_size(kind: str) -> None:
    """Quadratic work would be 16 times as much for 4 times the size. A few lines are allowed for what is cut off."""
    html = [_HEAVY[kind](size) for size in _SIZES]
    small, _, large = (lines(lambda each=each: read(each)) for each in html)  # type: ignore[misc]
    assert large < 8 * small + 500


def test_a_long_message_in_ordinary_markup_is_read() -> None:
    link = """<a href="https://a.example/b?c=d&amp;e=f" title='x "y"'>here</a>"""
    found = read(f'<p class="a">It\'s {link}, &lt;b&gt; 3 &lt; 4</p>' * 200)
    assert found is not None
    assert plain(found.text).count("It's here, <b> 3 < 4") == 200


def test_blanks_are_kept_and_line_breaks_of_the_markup_are_not() -> None:
    for html, text in (
        ("a    b", "a    b"),
        ("a\tb", "a\tb"),
        ("a \n b", "a b"),
        (" \n a", "a"),
        ("  a", "  a"),
        ("<p>\n a</p>", "a"),
        ("<p>\n\t\ta</p>", "a"),
        ("a&nbsp; &nbsp; b", "a    b"),
        ("10&nbsp;km", "10\u00a0km"),
        ("&nbsp;a<br>&nbsp;b", " a\n b"),
        ("a <b>&nbsp;b</b>", "a  b"),
        ("a <b>\nb</b>", "a b"),
        ("<ul>\n<li>\na\n</li>\n</ul>", "• a "),
        ("<pre>\ta\n\tb</pre>", "\ta\n\tb"),
    ):
        found = read(html)
        assert found is not None
        assert plain(found.text) == text
