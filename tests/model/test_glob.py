"""Globs: what they match, and that none takes long."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.model.glob import matches, names_anything


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=12))
def test_a_mask_matches_what_the_plain_definition_says(mask: str, text: str) -> None:
    def plainly(mask: str, text: str) -> bool:
        if not mask:
            return not text
        if mask[0] == "*":
            return plainly(mask[1:], text) or (bool(text) and plainly(mask, text[1:]))
        return bool(text) and mask[0] in ("?", text[0]) and plainly(mask[1:], text[1:])

    assert matches(mask, text) == plainly(mask, text)


def test_no_mask_takes_long_to_match() -> None:
    assert not matches("*a" * 120 + "b", "a" * 250)


def test_a_newline_is_a_character_like_any_other() -> None:
    assert matches("*buy?now*", "please\nbuy\nnow")


def test_a_glob_without_a_letter_or_a_digit_names_anything() -> None:
    assert all(map(names_anything, ("", "*", "?*", "*!*@*", "@*:*", "*.*")))
    assert not any(map(names_anything, ("*a*", "@*:hs", "*!*@10.*")))
