"""What becomes of bytes that are not UTF-8, in part or as a whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.irc.wire.encoding import LineDecoder, text_codec
from bridge.irc.wire.line import LineBuffer
from tests.settings import irc_settings

_CUT = "€".encode()[:-1]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"caf\xe9 noir", "café noir"),
        (b"d\xe9j\xe0", "déjà"),
        (b"caf\xe9", "café"),
        (b"it\x92s 5\x80", "it’s 5€"),
        (b"wait\x85 what", "wait… what"),
        (b"\x81\x8d\x8f\x90\x9d", "\ufffd" * 5),  # no characters of Windows-1252
    ],
)
def test_a_line_without_utf8_is_windows_1252(data: bytes, text: str) -> None:
    assert read(b"PRIVMSG #a :" + data) == f"PRIVMSG #a :{text}"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"h\xc3\xa9llo \xff w\xc3\xb6rld", "héllo ÿ wörld"),
        ("日本 ".encode() + b"caf\xe9 " + "€".encode(), "日本 café €"),
        (b"\xe9\xc3\xa9\xe9", "ééé"),
        ("🦆".encode() + b"\x81", "🦆\ufffd"),
        (b"\xc0\xaf \xed\xa0\x80 " + "é".encode(), "À¯ í\xa0€ é"),  # overlong, and a surrogate
        (b"\xf5\x80\x80\x80 " + "é".encode(), "õ€€€ é"),  # beyond Unicode
        (b"\xef\xbf\xbd \xe9", "\ufffd é"),
    ],
)
def test_one_bad_byte_spoils_nothing_else(data: bytes, text: str) -> None:
    assert read(b"PRIVMSG #a :" + data) == f"PRIVMSG #a :{text}"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("é duck ".encode() + _CUT, "é duck \ufffd"),
        (b"x" * 500 + _CUT, "x" * 500 + "\ufffd"),
        (b"x" * 500 + b"\xc3", "x" * 500 + "\ufffd"),
        ("é".encode() * 250 + b"\xc3", "é" * 250 + "\ufffd"),
        ("é".encode() * 250 + "🦆".encode()[:-1], "é" * 250 + "\ufffd"),
        (b"\xe9 " * 200 + b"\xe9", "é " * 200 + "é"),  # long, but not UTF-8 at all
        ("é ".encode() + b"caf\xe9", "é café"),  # nobody has cut so short a line after one byte
        (b"caf\xe9 " + "é ".encode() + _CUT, "café é \ufffd"),
        (_CUT + b" x", "â‚ x"),  # not at the end
    ],
)
def test_a_character_that_the_server_has_cut_at_the_end_of_a_line_spoils_nothing_else(data: bytes, text: str) -> None:
    assert read(data) == text


@pytest.mark.parametrize("text", ["", "a", "é", "日本語", "🦆🦆", "e\u0301", "\u0085", "ÿ"])
@pytest.mark.parametrize("fallback", ["cp1252", "koi8-r", "gbk", "shift_jis", "iso2022_jp"])
def test_a_line_of_utf8_is_utf8_whatever_the_fallback(text: str, fallback: str) -> None:
    assert LineDecoder(text_codec(fallback)).decode(text.encode()) == text


@pytest.mark.parametrize(
    ("fallback", "text"),
    [
        ("koi8-r", "привет, утка"),
        ("windows-1251", "Привет"),
        ("iso8859-15", "5 €"),
        ("gbk", "联通"),  # looks like UTF-8 in part
        ("gbk", "你好鸭子"),
        ("big5", "你好鴨子"),
        ("euc-kr", "안녕 오리"),
        ("shift_jis", "こんにちは あひる"),
        ("iso2022_jp", "こんにちは ducks"),
    ],
)
def test_another_fallback_reads_what_is_not_utf8(fallback: str, text: str) -> None:
    decode = LineDecoder(text_codec(fallback)).decode
    assert decode(b":al!u@h PRIVMSG #a :" + text.encode(fallback)) == f":al!u@h PRIVMSG #a :{text}"


def test_a_cut_character_of_a_fallback_of_several_bytes_spoils_nothing_else() -> None:
    decode = LineDecoder(text_codec("gbk")).decode
    assert decode("你好鸭子".encode("gbk")[:-1]) == "你好鸭\ufffd"
    assert decode("é 你".encode() + b" \xff") == "é 你 \ufffd"


def test_the_fallback_of_a_network_reads_its_lines() -> None:
    buffer = LineBuffer(irc_settings(encoding="koi8-r").encoding)
    assert buffer.feed("PRIVMSG #a :утка\r\n".encode("koi8-r")) == ["PRIVMSG #a :утка"]
    assert irc_settings().encoding == "cp1252"


@pytest.mark.parametrize("name", ["klingon", "", "utf-16", "utf-7", "cp037", "rot13", "hex", "hz", "unicode_escape"])
def test_an_encoding_that_is_none_or_in_which_ascii_is_not_ascii_is_a_config_error(name: str) -> None:
    with pytest.raises(ValueError, match="is no encoding"):
        irc_settings(encoding=name)


_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=8)
_OLD_TEXTS = st.text(st.characters(codec="cp1252", exclude_characters="\r\n\0"), max_size=8)


@given(st.lists(_TEXTS.map(lambda text: (text, text.encode())) | _OLD_TEXTS.map(lambda text: (text, None))))
def test_each_part_of_a_mixed_line_is_read_by_itself(parts: list[tuple[str, bytes | None]]) -> None:
    old = [(text, text.encode("cp1252") if data is None else data) for text, data in parts]
    clear = [(text, data) for text, data in old if data == text.encode() or not _has_utf8(data)]
    assert read(b"|".join([*(data for _, data in clear), b"."])) == "|".join([*(text for text, _ in clear), "."])


@given(st.binary(), st.sampled_from(["cp1252", "koi8-r", "gbk", "shift_jis", "euc-kr", "iso2022_jp", "utf-8", "ascii"]))
def test_no_bytes_make_the_decoder_raise_and_ascii_stays_as_it_is(data: bytes, fallback: str) -> None:
    data = bytes(data.translate(None, b"\r\n\0"))
    text = LineDecoder(text_codec(fallback)).decode(data)
    assert not set("\r\n\0") & set(text)
    if data.isascii() and b"\x1b" not in data:
        assert text == data.decode()


def _has_utf8(data: bytes) -> bool:
    return not data.decode(errors="ignore").isascii()


def read(data: bytes) -> str:
    (text,) = LineBuffer().feed(data + b"\r\n")
    return text
