"""Names that are well formed, and those that are not (bridge.model.identifiers)."""

import pytest

from bridge.model.identifiers import irc_channel


@pytest.mark.parametrize(
    "name",
    [
        "#",
        "#pond",
        "&pond",
        "+pond",
        "!pond",
        "##",
        "#a\u00a0b",
        "#a\u3000b",
        "#a:b",
        "#" + "x" * 199,
        "#\x02bold\x02",
        "#tab\t",
        "#\x7f",
        "#🦆",
        "#e\u0301",
        "#\u200b",
        "#\u202e",
        "~pond",
        ".pond",
        "#a/b",
        "#@x",
        "#*?",
    ],
)
def test_a_channel_name_may_hold_any_characters_but_those_that_end_a_name(name: str) -> None:
    assert irc_channel(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "pond",
        "#a b",
        "#a,b",
        "#a\r",
        "#a\n",
        "#a\0",
        "#a\x07",
        "#" + "x" * 200,
        "#a,0",
        "0",
        ":#a",
        "@#a",
        "*",
        "[x]",
        "^a",
        "-a",
        "épond",
    ],
)
def test_text_that_is_several_channel_names_or_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not an IRC channel"):
        irc_channel(name)
