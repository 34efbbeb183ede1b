"""IRC lines: how they are parsed, and `compose`, the only place where they are made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.irc.wire.line import MAX_LINE, Line, LineBuffer, Source, Unwritable, compose, parse, redacted
from tests.strategies import with_runs


def test_a_line_has_tags_a_source_a_command_and_parameters() -> None:
    line = parse(r"@time=2026-11-23T01:02:03.004Z;+x/y=a\sb\:c\\d;bot :nick!user@host privmsg #a b :c :d")
    assert line == Line(
        "PRIVMSG",
        ("#a", "b", "c :d"),
        Source("nick", "user", "host"),
        {"time": "2026-11-23T01:02:03.004Z", "+x/y": "a b;c\\d", "bot": ""},
    )


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("QUIT", ()),
        ("PRIVMSG #a :", ("#a", "")),
        ("PRIVMSG  #a   b", ("#a", "b")),
        ("PRIVMSG #a\u00a0b :hi", ("#a\u00a0b", "hi")),
        (":server PING :x :y", ("x :y",)),
    ],
)
def test_parameters_are_split_at_spaces_only(text: str, params: tuple[str, ...]) -> None:
    line = parse(text)
    assert line is not None
    assert line.params == params


@pytest.mark.parametrize("text", ["", " ", ":", ":x", "@", "@a", "@a=b :c", ":a :b", "1234 x", "é x", "@;;= : : :"])
def test_text_that_is_no_irc_line_parses_to_none(text: str) -> None:
    assert parse(text) is None


def test_a_source_without_user_or_host_is_only_a_name() -> None:
    assert parse(":irc.test 001 us") == Line("001", ("us",), Source("irc.test"))
    assert Source("irc.test").mask == "irc.test"
    assert Source("a", "b", "c").mask == "a!b@c"


@given(with_runs(st.text()))
def test_parsing_never_raises(text: str) -> None:
    line = parse(text)
    assert line is None or line.command


@given(st.lists(st.binary()))
def test_lines_read_from_any_bytes_contain_neither_newline_nor_nul(chunks: list[bytes]) -> None:
    buffer = LineBuffer()
    for chunk in chunks:
        for text in buffer.feed(chunk):
            assert "\n" not in text
            assert "\0" not in text
            parse(text)


@given(st.lists(st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"))), st.integers(1, 9))
def test_lines_are_the_same_however_the_stream_is_cut_into_chunks(texts: list[str], size: int) -> None:
    stream = "".join(f"{text}\r\n" for text in texts).encode()
    buffer = LineBuffer()
    got = [line for at in range(0, len(stream), size) for line in buffer.feed(stream[at : at + size])]
    assert got == texts


def test_a_line_that_is_too_long_is_dropped_whole_and_the_next_is_read() -> None:
    buffer = LineBuffer()
    assert [line for _ in range(100) for line in buffer.feed(b"x" * 1000)] == []
    assert len(buffer._rest) <= MAX_LINE
    assert buffer.feed(b"tail\r\nPING :x\r\n") == ["PING :x"]
    assert buffer.feed(b"y" * (MAX_LINE + 1) + b"\nPING :z\n") == ["PING :z"]


@pytest.mark.parametrize(
    ("tags", "value"), [("a=b\\", "b"), ("a=b\\\\", "b\\"), ("a=\\", ""), ("a=b\\;c=d", "b"), ("a=\\:\\s", "; ")]
)
def test_a_lone_backslash_at_the_end_of_a_tag_is_dropped(tags: str, value: str) -> None:
    line = parse(f"@{tags} PING")
    assert line is not None
    assert line.tags["a"] == value


@pytest.mark.parametrize(
    ("source", "parts"),
    [("a!b@c", ("a", "b", "c")), ("a@c", ("a", "", "c")), ("a", ("a", "", "")), ("a!b", ("a", "b", ""))],
)
def test_a_source_has_the_parts_that_the_server_gives(source: str, parts: tuple[str, str, str]) -> None:
    line = parse(f":{source} PING")
    assert line is not None
    assert (line.source.nick, line.source.user, line.source.host) == parts


@given(
    st.text(),
    st.lists(st.text(), max_size=4),
    st.dictionaries(st.text(), st.text(), max_size=2),
)
def test_compose_makes_exactly_one_line_or_refuses(command: str, params: list[str], tags: dict[str, str]) -> None:
    _check_gate(command, params, tags)


@given(
    st.sampled_from(["PRIVMSG", "JOIN", "NICK", "WHOIS"]),
    st.lists(st.text("ab :#\r\n\0,\u2028é", max_size=6), min_size=1, max_size=4),
    st.dictionaries(st.sampled_from(["label", "+a.b/c", "x"]), st.text("a; \\\r\n\0", max_size=5), max_size=2),
)
def test_compose_makes_exactly_one_line_or_refuses_when_the_input_is_nearly_valid(
    command: str, params: list[str], tags: dict[str, str]
) -> None:
    _check_gate(command, params, tags)


def _check_gate(command: str, params: list[str], tags: dict[str, str]) -> None:
    try:
        data = compose(command, *params, tags=tags)
    except Unwritable:
        return
    assert data.endswith(b"\r\n")
    assert not set(b"\r\n\0") & set(data[:-2])
    line = parse(data[:-2].decode())
    assert line is not None
    assert (line.command, line.params) == (command.upper(), tuple(params))
    assert dict(line.tags) == tags


@pytest.mark.parametrize(
    ("command", "params"),
    [
        ("PRIVMSG", ("#a", "x\r\nQUIT")),
        ("PRIVMSG", ("#a\nQUIT", "x")),
        ("PRIVMSG", ("#a", "x\0")),
        ("PRIVMSG", ("#a b", "x")),
        ("PRIVMSG", (":a", "x")),
        ("PRIVMSG", ("", "x")),
        ("NICK", ("two words",)),
        ("NICK", ("",)),
        ("JOIN", ("#a key",)),
        ("QUIT\r\nX", ()),
        ("", ()),
        ("PRIVMSG", ("#a", "x" * 500)),
    ],
)
def test_compose_refuses_what_would_not_be_exactly_one_line(command: str, params: tuple[str, ...]) -> None:
    with pytest.raises(Unwritable):
        compose(command, *params)


@pytest.mark.parametrize(
    "data",
    [
        b"PASS secret\r\n",
        b"AUTHENTICATE c2VjcmV0\r\n",
        b"PRIVMSG NickServ :IDENTIFY duck secret\r\n",
        b"PRIVMSG duck :login alice secret\r\n",
        b"NICKSERV IDENTIFY secret\r\n",
        b"@label=1 OPER root secret\r\n",
    ],
)
def test_passwords_in_a_line_are_redacted_for_the_log(data: bytes) -> None:
    assert "secret" not in redacted(data)
    assert "c2VjcmV0" not in redacted(data)


def test_lines_without_a_password_are_logged_as_they_are() -> None:
    assert redacted(b"PRIVMSG #a :identify yourself\r\n") == "PRIVMSG #a :identify yourself"
    assert redacted(b"\xff\r\n") == "(no IRC line)"
