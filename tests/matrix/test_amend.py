"""Edits and removals within an event of several messages (bridge.matrix.dialect.amend)."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.matrix.dialect.amend import LARGEST, Entangled, amended, latest, parts, replacement, told, without
from bridge.matrix.dialect.operations import ID, PARTS, compact
from bridge.matrix.dialect.profile import PROFILE
from bridge.network import Needless


def said(*whose: tuple[str, Sequence[str]], html: bool = True) -> dict[str, Any]:
    """An event with the lines of several messages."""
    lines = [line for _, each in whose for line in each]
    content: dict[str, Any] = {"msgtype": "m.text", "body": "\n".join(lines), "m.mentions": {}}
    if html:
        markup = "<br>".join(f"<b>{line}</b>" for line in lines)
        content |= {"format": "org.matrix.custom.html", "formatted_body": markup}
    return content | {PARTS: [[name, len(each)] for name, each in whose]}


_WHOSE = st.lists(st.tuples(st.uuids().map(str), st.lists(st.sampled_from("abc"), min_size=1, max_size=3)), min_size=2)


@given(_WHOSE, st.lists(st.sampled_from("xyz"), min_size=1, max_size=3), st.booleans())
def test_a_part_is_exchanged_or_taken_out_and_the_others_stay(
    whose: list[tuple[str, list[str]]], new: list[str], html: bool
) -> None:
    shown = said(*whose, html=html)
    first, *rest = whose
    edited = amended(shown, first[0], said((first[0], new), html=html))
    assert edited == said((first[0], new), *rest, html=html)
    assert amended(edited, first[0], said((first[0], new), html=html)) == edited  # safe to repeat
    left = without(edited, first[0])
    assert left == said(*rest, html=html)
    if len(rest) > 1:
        with pytest.raises(Needless):
            without(left or {}, first[0])


def test_the_last_part_of_an_event_is_the_event() -> None:
    shown = said(("a", ["one", "two"]))
    assert without(shown, "a") is None
    new = said(("a", ["x"]))
    assert amended(shown, "a", new) == new


def test_a_part_that_was_taken_out_is_not_edited() -> None:
    with pytest.raises(Needless):
        amended(said(("a", ["one"]), ("b", ["two"])), "c", said(("c", ["x"])))


def test_an_event_of_an_earlier_version_is_edited_only_if_it_has_one_line_and_removed_as_a_whole() -> None:
    old: dict[str, Any] = {"msgtype": "m.text", "body": "one"}
    new = said(("a", ["x"]))
    assert amended(old, "a", new) == new
    with pytest.raises(Entangled):
        amended(old | {"body": "one\ntwo"}, "a", new)
    assert without(old | {"body": "one\ntwo"}, "a") is None


@pytest.mark.parametrize("whose", [7, [], [["a"]], [["a", 0]], [["a", 1], "b"], [["a", True]], [["a", 2]], [[1, 1]]])
def test_parts_that_do_not_fit_the_words_count_as_unknown(whose: object) -> None:
    shown = said(("a", ["one"]), ("b", ["two"]), ("c", ["three"])) | {PARTS: whose}
    assert parts(shown) == ()


def test_html_whose_lines_are_not_those_of_the_body_is_not_cut() -> None:
    shown = said(("a", ["one"]), ("b", ["two"])) | {"formatted_body": "one"}
    with pytest.raises(Entangled):
        amended(shown, "a", said(("a", ["x"])))


def test_an_event_that_grows_too_large_loses_its_html_and_then_is_not_edited() -> None:
    shown = said(("a", ["one"]), ("b", ["two"]))
    grown = amended(shown, "a", said(("a", ["x" * (LARGEST // 2)])))
    assert "formatted_body" not in grown
    assert len(compact(grown).encode()) <= LARGEST
    with pytest.raises(Entangled):
        amended(shown, "a", said(("a", ["x" * LARGEST]), html=False))


def test_a_replacement_has_the_new_words_and_a_short_fallback_and_mentions_nobody() -> None:
    profile = {"id": "1", "displayname": "bob", "has_fallback": True}
    new = said(("a", ["x" * 2000])) | {PROFILE: profile, ID: "post", "m.relates_to": {"rel_type": "m.thread"}}
    content = replacement("$1", new)
    assert content["m.relates_to"] == {"rel_type": "m.replace", "event_id": "$1"}
    assert content["m.new_content"] == {key: new[key] for key in new if key not in (ID, "m.relates_to")}
    assert content["body"] == "* " + "x" * 999 + "…"
    assert content["m.mentions"] == {}
    assert content[PROFILE] == {"id": "1", "displayname": "bob"}
    assert "formatted_body" not in content


def test_what_cannot_be_edited_is_said_as_edited_in_reply() -> None:
    content = told("$1", said(("a", ["x"])))
    assert (content["body"], content["formatted_body"]) == ("(edited) x", "(edited) <b>x</b>")
    assert content["m.relates_to"] == {"m.in_reply_to": {"event_id": "$1"}}


def test_the_latest_words_are_those_of_the_edit_that_the_homeserver_bundles() -> None:
    event: dict[str, Any] = {"content": {"body": "one"}}
    assert latest(event) == {"body": "one"}
    bundled = {"event_id": "$2", "content": {"body": "* two", "m.new_content": {"body": "two"}}}
    assert latest(event | {"unsigned": {"m.relations": {"m.replace": bundled}}}) == {"body": "two"}
    assert latest(event | {"unsigned": {"m.relations": {"m.replace": {"event_id": "$2"}}}}) == "$2"
