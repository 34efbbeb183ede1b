"""From styled text to lines that fit, and from mIRC codes to styled text."""

import json
from dataclasses import replace

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from bridge.irc.dialect import formatting
from bridge.irc.dialect.operations import Say, decode
from bridge.irc.dialect.palette import colour, number
from bridge.irc.dialect.place import Limits, Place
from bridge.irc.dialect.render import refit, render
from bridge.irc.dialect.split import LEAST, split
from bridge.irc.wire.line import compose
from bridge.model.address import is_address_of
from bridge.model.event import Edit, Event, EventKey, Kind, Message, Room
from bridge.model.outbox import Owed, Post
from bridge.model.people import Sender
from bridge.model.text import Span, Style, Text, merge, plain, words
from bridge.network import PermanentError
from tests.strategies import looks, with_runs

ROOM = Room("net", "#pond")
_WORDS = with_runs(st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=60), " \u00a0\u200b\u3000\ufe0f")
_EMOJI = st.sampled_from(["👨‍👩‍👧‍👦", "🇩🇪", "é", "e\u0301", "ＡＢ", "क्षि", " ", "duck ", "1,2"])
_LINES = st.lists(looks(_WORDS | st.lists(_EMOJI, max_size=20).map("".join)), max_size=6).map(merge)


def on_irc(text: Text) -> Text:
    """`text` as IRC can show it: in the colours that have numbers, and spoilers in no colour."""
    return merge(_on_irc(span) for span in text)


def _on_irc(span: Span) -> Span:
    if span.style & Style.SPOILER:
        return replace(span, fg="", bg="")
    fg, bg = ("#" + colour(number(one))[1:] if one else "" for one in (span.fg, span.bg))
    return replace(span, fg=fg, bg="" if fg == bg else bg)


@given(_LINES)
def test_styles_and_colours_survive_the_way_to_irc_and_back(text: Text) -> None:
    assert formatting.parse(formatting.encode(text)) == on_irc(text)


@pytest.mark.parametrize(
    ("code", "fg", "bg"),
    [
        ("\x034x", "#ff0000", ""),
        ("\x0304,2x", "#ff0000", "#00007f"),
        ("\x0304,2\x0316x", "#470000", "#00007f"),
        ("\x0304,2\x0399x", "", "#00007f"),
        ("\x0304,2\x039,99x", "#00fc00", ""),
        ("\x0304,2\x03x", "", ""),
        ("\x0398x", "#ffffff", ""),
        ("\x04AbCdEFx", "#abcdef", ""),
        ("\x04abcdef,123456x", "#abcdef", "#123456"),
        ("\x04abcdef,123456\x04x", "", ""),
        ("\x04abcdef\x03,04x", "", ""),
        ("\x0304,2\x16x", "#00007f", "#ff0000"),
        ("\x16\x0304,2x", "#00007f", "#ff0000"),
        ("\x0304,2\x16\x16x", "#ff0000", "#00007f"),
        ("\x0304,2\x16\x0fx", "", ""),
        ("\x16x", "#ffffff", "#000000"),
        ("\x0304\x16x", "#ffffff", "#ff0000"),
        ("\x0399,04\x16x", "#ff0000", "#000000"),
        ("\x0300\x16x", "#000000", "#ffffff"),
        ("\x0399,01\x16x", "#ffffff", "#000000"),
    ],
)
def test_each_colour_code_is_read_as_the_colours_that_clients_show(code: str, fg: str, bg: str) -> None:
    (*_, last) = formatting.parse(code)
    assert (last.text.lstrip(",04"), last.style, last.fg, last.bg) == ("x", Style.PLAIN, fg, bg)


def test_each_of_the_99_colours_keeps_its_number_and_the_lower_one_of_two() -> None:
    numbers = [number(colour(str(n))) for n in range(99)]
    twins = {52: 4, 54: 8, 58: 11, 62: 13, 88: 1, 98: 0}
    assert numbers == [f"{twins.get(n, n):02}" for n in range(99)]
    assert (colour("99"), number("")) == ("", "")


@pytest.mark.parametrize(
    ("shown", "like"),
    [("#fe0102", "04"), ("#020202", "01"), ("#0000fd", "12"), ("#808080", "14"), ("#ffa500", "53"), ("#ff69b4", "75")],
)
def test_a_colour_without_a_number_becomes_the_one_that_looks_most_like_it(shown: str, like: str) -> None:
    assert number(shown) == like


@pytest.mark.parametrize("no_colour", ["red", "#FF0000", "#ff00", "#ff0000\x0304", "#gg0000"])
def test_what_is_no_colour_is_written_as_none(no_colour: str) -> None:
    assert number(no_colour) == ""


@pytest.mark.parametrize("text", ["4", "04", ",4", ",", ",x", "4,4", "x"])
@pytest.mark.parametrize("before", [(), (Span("b", Style.BOLD),), (Span("b", fg="#00007f", bg="#ffff00"),)])
@pytest.mark.parametrize("colours", [("#ff0000", ""), ("", "#ff0000"), ("#ff0000", "#ffff00"), ("", "")])
@pytest.mark.parametrize("style", [Style.PLAIN, Style.BOLD])
def test_digits_and_commas_behind_a_colour_code_stay_text(
    text: str, before: Text, colours: tuple[str, str], style: Style
) -> None:
    said = merge((*before, Span(text, style, None, *colours)))
    assert formatting.parse(formatting.encode(said)) == said
    parts = (*before, Span("", style, None, *colours), *(Span(sign, style, None, *colours) for sign in text))
    assert formatting.parse(formatting.encode(parts)) == said


def test_two_colours_that_have_one_number_do_not_hide_the_text() -> None:
    assert formatting.encode((Span("x", fg="#ff0000", bg="#fe0000"),)) == "\x0304x"


@pytest.mark.parametrize(
    ("code", "style"),
    [
        ("\x02x", Style.BOLD),
        ("\x1d\x02x", Style.BOLD | Style.ITALIC),
        ("\x1f\x1e\x11x", Style.UNDERLINE | Style.STRIKE | Style.MONO),
        ("\x0301,1x", Style.SPOILER),
        ("\x034,4\x02x", Style.SPOILER | Style.BOLD),
        ("\x04ff0000,ff0000x", Style.SPOILER),
        ("\x0300,98x", Style.SPOILER),
        ("\x0304,04\x16x", Style.SPOILER),
        ("\x03x", Style.PLAIN),
        ("\x16\x16x", Style.PLAIN),
        ("\x02\x02x", Style.PLAIN),
        ("\x02\x1d\x0fx", Style.PLAIN),
        ("\x031,1\x03x", Style.PLAIN),
    ],
)
def test_each_mirc_code_is_read_as_the_style_that_clients_show(code: str, style: Style) -> None:
    assert formatting.parse(code) == (Span("x", style),)


def test_digits_after_a_spoiler_are_not_read_as_a_colour() -> None:
    text = (Span("hidden", Style.SPOILER), Span("42", Style.PLAIN))
    assert formatting.parse(formatting.encode(text)) == text


@given(_LINES, st.integers(LEAST, 120))
def test_the_pieces_of_a_split_text_fit_the_budget_join_back_to_it_and_keep_its_styles(text: Text, budget: int) -> None:
    pieces = [*split(text, budget)]
    assert all(len(piece.encode()) <= budget for piece in pieces)
    back = [formatting.parse(piece) for piece in pieces]
    assert "".join(map(plain, back)) == plain(text)
    if regex.findall(r"\X", plain(text)) == [g for span in text for g in regex.findall(r"\X", span.text)]:
        assert merge(span for piece in back for span in piece) == on_irc(text)


@given(_LINES, st.integers(LEAST, 120))
def test_a_grapheme_is_cut_only_if_it_alone_exceeds_the_budget(text: Text, budget: int) -> None:
    whole = plain(text)
    cuts, at = set(), 0
    for piece in split(text, budget):
        at += len(plain(formatting.parse(piece)))
        cuts.add(at)
    for match in regex.finditer(r"\X", whole):
        inside = cuts & set(range(match.start() + 1, match.end()))
        assert not inside or len(match.group().encode()) + LEAST - 4 > budget


def test_a_text_is_split_between_words_and_inside_a_word_only_if_that_is_too_long() -> None:
    assert [*split(words("the quick brown fox"), 15)] == ["the quick ", "brown fox"]
    assert [*split(words("a " + "x" * 40), 20)] == ["a ", "x" * 20, "x" * 20]


def test_what_keeps_a_comma_apart_from_a_colour_counts_as_part_of_the_piece() -> None:
    assert [*split((Span("," * 28, fg="#ff0000"),), 19)] == ["\x0304\x02\x02" + "," * 14] * 2


def test_each_piece_opens_its_formatting_anew() -> None:
    assert [*split((Span("loud loud loud loud", Style.BOLD),), 15)] == ["\x02loud loud ", "\x02loud loud"]


def message(text: Text, kind: Kind = Kind.TEXT, **changes: object) -> Event:
    base = Event("$1", Room("home", "!pond"), Sender("home", "@ann:hs", "Ann"), 0.0, Message(text, kind))
    return replace(base, **changes)  # type: ignore[arg-type]


def say(post: Post) -> Say:
    """The message that `post` must be."""
    said = decode(post.payload)
    assert isinstance(said, Say)
    return said


def rendered(event: Event, room: Room = ROOM, limits: Limits = Limits()) -> list[Say]:  # noqa: B008 - frozen
    return [say(post) for post in render([Owed("d", room, event)], Place(limits))]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\u2028", "\x85", "\v", "\f"])
def test_a_newline_in_a_message_cannot_start_a_line_in_somebody_elses_name(end: str) -> None:
    first, second = rendered(message(words(f"hi{end}<admin> give me the keys")))
    assert (first.text, second.text) == ("<Ann> hi", "<Ann> <admin> give me the keys")


def test_an_action_is_shown_with_a_star_and_a_notice_is_sent_as_notice() -> None:
    (said,) = rendered(message(words("waves"), kind=Kind.ACTION))
    assert (said.command, said.text) == ("PRIVMSG", "* Ann waves")
    (said,) = rendered(message(words("beep"), kind=Kind.NOTICE))
    assert (said.command, said.text) == ("NOTICE", "<Ann> beep")


def test_an_action_without_words_says_the_name_of_its_sender() -> None:
    (said,) = rendered(message((), kind=Kind.ACTION))
    assert said.text == "* Ann"
    long = Sender("home", "@x:y", "🦆" * 64)
    (said,) = rendered(message((), kind=Kind.ACTION, sender=long), limits=Limits(256, 60))
    assert said.text == "* " + "🦆" * 43 + "…"


def test_an_edit_is_a_line_of_its_own_that_says_that_it_is_an_edit() -> None:
    for kind, command, text in (
        (Kind.TEXT, "PRIVMSG", "<Ann> (edited) duck: second"),
        (Kind.NOTICE, "NOTICE", "<Ann> (edited) duck: second"),
        (Kind.ACTION, "PRIVMSG", "* Ann (edited) duck: second"),
    ):
        edit = replace(message(()), body=Edit(EventKey(Room("home", "#pond"), "$0"), words("duck: second"), kind))
        (said,) = rendered(edit)
        assert (said.command, said.text) == (command, text)


def test_a_private_message_has_no_sender_mark_and_a_private_action_is_a_ctcp_action() -> None:
    bob = Room("net", "bob")
    assert rendered(message(words("hi"), private=True), bob)[0].text == "hi"
    assert rendered(message(words("waves"), private=True, kind=Kind.ACTION), bob)[0].text == "\x01ACTION waves\x01"
    assert rendered(message(words("\x01VERSION\x01"), private=True), bob)[0].text == " VERSION "


def test_empty_lines_are_left_out_and_a_message_without_text_is_a_dead_letter() -> None:
    assert [said.text for said in rendered(message(words("a\n\n  \nb")))] == ["<Ann> a", "<Ann> b"]
    with pytest.raises(PermanentError):
        rendered(message(words("\n \x02\n")))
    with pytest.raises(PermanentError):
        rendered(message(()))


def test_a_run_of_deliveries_is_rendered_up_to_the_first_empty_message() -> None:
    first, empty = Owed("d1", ROOM, message(words("hi"))), Owed("d2", ROOM, message(()))
    posts = render([first, empty, first], Place())
    assert [post.deliveries for post in posts] == [("d1",)]


def test_the_url_of_a_hyperlink_is_shown_unless_it_is_the_text() -> None:
    url = "https://example.org/"
    assert rendered(message((Span("here", Style.BOLD, url),)))[0].text == f"<Ann> \x02here\x0f ({url})"
    assert rendered(message((Span(url, link=url),)))[0].text == f"<Ann> {url}"
    assert rendered(message((Span("https://example.org", link=url),)))[0].text == "<Ann> https://example.org"
    assert rendered(message((Span("a", Style.SPOILER), Span("b", Style.SPOILER, url))))[0].text.endswith(
        f"b ({url})\x0f||"
    )
    assert rendered(message((Span(f"see {url} there", link=url),)))[0].text == f"<Ann> see {url} there"
    assert rendered(message((Span("red", link=url, fg="#ff0000"),)))[0].text == f"<Ann> \x0304red\x0f ({url})"
    spaced = "https://example.org/a b"
    assert rendered(message((Span(spaced, link=f"{url}a%20b"),)))[0].text == "<Ann> https://example.org/a%20b"


@pytest.mark.parametrize(
    ("shown", "link", "same"),
    [
        ("https://example.org/", "https://example.org", True),
        ("example.org", "https://example.org/", True),
        ("example.org/a", "http://example.org/a", True),
        ("https://example.org/Käse", "https://example.org/K%C3%A4se", True),
        ("https://example.org/K%c3%a4se/", "https://example.org/Käse", True),
        ("https://example.org/a_(b)", "https://example.org/a_%28b%29", True),
        ("https://example.org/?q=a b", "https://example.org/?q=a%20b", True),
        ("https://Example.org/x", "https://example.org/x", True),
        ("https://müller.example", "https://xn--mller-kva.example/", True),
        ("a@b.c", "mailto:a@b.c", True),
        ("mailto:a@b.c", "mailto:a@b.c", True),
        ("a@b.c", "xmpp:a@b.c", False),
        ("xmpp:a@b.c", "xmpp:a@b.c", True),
        ("ftp://example.org", "ftp://example.org/", True),
        ("https://example.org/a%26b", "https://example.org/a&b", False),
        ("https://example.org/A", "https://example.org/a", False),
        ("https://example.org", "http://example.org", False),
        ("https://bank.example", "https://thief.example", False),
        ("https://bank.example", "https://bank.example@thief.example", False),
        ("", "https://example.org", False),
        ("x" * 70 + ".org", "https://" + "x" * 70 + ".org", True),
    ],
)
def test_a_link_that_shows_its_own_address_is_known_however_it_is_written(shown: str, link: str, same: bool) -> None:
    assert is_address_of(shown, link) is same


def test_a_mention_is_shown_by_its_name_without_the_address() -> None:
    assert rendered(message((Span("Bob", mention="@bob:hs"), Span(": hi"))))[0].text == "<Ann> Bob: hi"


def test_blanks_and_tabs_are_kept_on_irc_and_a_tab_is_four_blanks() -> None:
    assert rendered(message(words("a    b\tc")))[0].text == "<Ann> a    b    c"


def test_no_break_spaces_in_a_row_are_blanks_and_a_single_one_stays() -> None:
    assert rendered(message(words("a\u00a0\u00a0 b 10\u00a0km")))[0].text == "<Ann> a   b 10\u00a0km"


def test_a_spoiler_is_hidden_by_colours_and_fenced_by_bars_where_there_are_no_colours() -> None:
    text = (Span("It was "), Span("the ", Style.SPOILER), Span("butler", Style.SPOILER | Style.BOLD), Span("!"))
    (said,) = rendered(message(text))
    assert said.text == "<Ann> It was ||\x0301,01the \x02butler\x0f||!"
    assert formatting.stripped(said.text) == "<Ann> It was ||the butler||!"


def test_code_has_backticks_unless_it_is_all_of_a_line_and_no_code_that_irssi_does_not_know() -> None:
    text = (Span("say "), Span("help", Style.MONO | Style.BOLD), Span(", or\n"), Span("def quack():", Style.MONO))
    lines = [said.text for said in rendered(message(text))]
    assert lines == ["<Ann> say \x02`help`\x0f, or", "<Ann> def quack():"]


@given(
    st.lists(looks(with_runs(st.text(max_size=300))), max_size=4),
    st.text(max_size=80),
    st.booleans(),
)
def test_every_post_is_one_line_that_the_server_need_not_cut(spans: list[Span], name: str, private: bool) -> None:
    limits = Limits(512, 60)
    room = Room("net", "bob") if private else ROOM
    event = message(tuple(spans), sender=Sender("home", "@x:y", name.replace("\n", "")), private=private)
    try:
        posts = render([Owed("d", room, event)], Place(limits))
    except PermanentError:
        return
    for post in posts:
        said = say(post)
        assert len(compose(said.command, said.target, said.text)) + limits.prefix <= 512


def test_a_very_long_name_leaves_room_for_the_words() -> None:
    said = rendered(message(words("x " * 300), sender=Sender("home", "@x:y", "🦆" * 64)), Room("net", "#" + "c" * 100))
    assert all(each.text.startswith("<🦆") and "…> " in each.text for each in said)
    assert len(said) < 20


def test_post_ids_are_derived_from_room_deliveries_and_part() -> None:
    owed = [Owed("d", ROOM, message(words("a\nb")))]
    assert [post.id for post in render(owed, Place())] == [post.id for post in render(owed, Place())]
    assert [post.id for post in render(owed, Place())] == [Post.of(ROOM, ("d",), part, "").id for part in (0, 1)]


def test_a_payload_is_compact_json() -> None:
    (post,) = render([Owed("d", ROOM, message(words("hé")))], Place())
    assert json.loads(post.payload) == {
        "op": "say",
        "command": "PRIVMSG",
        "target": "#pond",
        "text": "<Ann> hé",
        "head": 6,
    }
    assert ", " not in post.payload


@pytest.mark.parametrize("payload", ["", "{}", "[]", "null", '{"command":"QUIT","target":"x","text":"y"}', "1"])
def test_a_payload_that_we_did_not_write_is_a_dead_letter(payload: str) -> None:
    with pytest.raises(PermanentError):
        decode(payload)


def test_a_post_that_no_longer_fits_a_line_is_sent_in_more_lines_each_with_the_sender_mark() -> None:
    """Our host has become longer since the post was frozen."""
    (said,) = rendered(message((Span("word " * 80, Style.BOLD),)), limits=Limits(512, 40))
    parts = [*refit(said, Limits(512, 150))]
    assert len(parts) == 2
    assert all(part.text.startswith("<Ann> \x02word") for part in parts)
    joined = "".join(part.text.removeprefix("<Ann> ").strip("\x02") for part in parts)
    assert joined == "word " * 80
    assert [*refit(said, Limits(512, 40))] == [said]
    action = Say("PRIVMSG", "bob", "\x01ACTION " + "x" * 400 + "\x01")
    assert all(part.text.startswith("\x01ACTION x") and part.text.endswith("\x01") for part in refit(action, Limits()))


def test_a_post_that_an_earlier_version_froze_can_be_read() -> None:
    old = '{"command":"NOTICE","target":"#pond","text":"<Ann> hé","head":6}'
    assert decode(old) == Say("NOTICE", "#pond", "<Ann> hé", 6)
    assert decode('{"command":"PRIVMSG","target":"#pond","text":"hé"}') == Say("PRIVMSG", "#pond", "hé")


def test_an_operation_of_a_later_version_is_a_dead_letter_and_is_not_said() -> None:
    with pytest.raises(PermanentError, match="'kick'"):
        decode('{"op":"kick","command":"PRIVMSG","target":"#pond","text":"bob"}')


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("\x0301,01x", True),
        ("\x0399,99x", False),  # 99 is the reader's own colour
        ("\x031,01x", True),
        ("\x0300,01a\x0301x", True),  # a colour alone leaves the background
        ("\x0301,01a\x0302x", False),
        ("\x0301,01a\x03x", False),
        ("\x0301,01a\x0fx", False),
        ("\x0301,01a\x03,x", False),
        ("\x04abcdef,ABCDEFx", True),
        ("\x0301x", False),
        ("\x0301,99x", False),
    ],
)
def test_text_in_the_colour_of_its_background_is_hidden(text: str, hidden: bool) -> None:
    spans = [span for span in formatting.parse(text) if "x" in span.text]
    assert [bool(span.style & Style.SPOILER) for span in spans] == [hidden]


def test_a_message_within_its_line_limit_is_whole() -> None:
    six = "\n".join("123456")
    assert [one.text for one in rendered(replace(message(words(six)), max_lines=6))] == [
        f"<Ann> {n}" for n in range(1, 7)
    ]
    assert len(rendered(message(words("x\n" * 100)))) == 100  # what the bridge stored before the limit
