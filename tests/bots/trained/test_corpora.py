"""Corpora of each format, and files that were made to do harm."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.trained.corpora import CorpusError, files, joined, parse, read

YAML = "categories: [greetings]\nconversations:\n- - Hello\n  - Hi\n- - What is 2?\n  - 4\n"
IRSSI = """--- Log opened Fri Nov 27 10:00:00 2026
10:00 -!- ann [a@b] has joined #pond
10:00 <@ann> hello all
10:01 < bob> hi ann
10:02  * bob waves
12:00 <ann> anybody here?
12:01 <bob> me
"""
WEECHAT = (
    "2026-11-27 10:00:00\t-->\tann (a@b) has joined #pond\n"
    "2026-11-27 10:00:01\t@ann\thello all\n"
    "2026-11-27 10:00:05\tbob\thi ann\n"
    "2026-11-27 10:00:09\t *\tbob waves\n"
)


def talks(name: str, text: str) -> list[list[str]]:
    return [[said for _, said in talk] for talk in parse(Path(name), text).values()]


def test_yaml_of_chatterbot_has_questions_and_answers() -> None:
    assert talks("a.yml", YAML) == [["Hello", "Hi"], ["What is 2?", "4"]]


def test_a_csv_may_have_a_heading_and_quotes() -> None:
    assert talks("a.csv", 'question,answer\n"Who, me?",You\n') == [["Who, me?", "You"]]


def test_json_lines_are_questions_turns_or_an_archive() -> None:
    lines = [
        {"question": "a?", "answer": "b"},
        {"turns": ["c", "d", "e"]},
        {"id": "1", "time": 0.0, "room": "r", "who": "ann", "text": "hi"},
        {"id": "2", "time": 9.0, "room": "r", "who": "bob", "text": "ho"},
        {"id": "3", "time": 9999.0, "room": "r", "who": "bob", "text": "alone"},
    ]
    text = "\n".join(map(json.dumps, lines))
    assert talks("a.jsonl", text) == [["a?", "b"], ["c", "d", "e"], ["hi", "ho"]]


def test_irssi_logs_are_cut_at_long_silences() -> None:
    assert talks("a.log", IRSSI) == [["hello all", "hi ann"], ["anybody here?", "me"]]


def test_weechat_logs_without_who_comes_and_goes() -> None:
    assert parse(Path("a.weechatlog"), WEECHAT) == {"0": (("ann", "hello all"), ("bob", "hi ann"))}


def test_a_matrix_export_without_edits_and_notices() -> None:
    def event(sender: str, body: str, msgtype: str = "m.text", **more: Any) -> dict[str, object]:
        content = {"msgtype": msgtype, "body": body, **more}
        return {"type": "m.room.message", "sender": sender, "origin_server_ts": 1000, "content": content}

    edit: dict[str, Any] = {"m.relates_to": {"rel_type": "m.replace", "event_id": "$1"}}
    removed = {"type": "m.room.message", "sender": "@a:b", "origin_server_ts": 1, "content": {}}
    events = [event("@a:b", "hi"), event("@b:b", "x", "m.notice"), event("@a:b", "* hj", **edit), removed]
    events.append(event("@b:b", "ho"))
    assert talks("export.json", json.dumps({"messages": events})) == [["hi", "ho"]]
    assert talks("export.json", json.dumps(events)) == [["hi", "ho"]]


def test_chitchat_keeps_the_ids_of_its_conversations() -> None:
    runs = [[{"sender": "a", "text": "hi"}, {"sender": "a", "text": "you"}], [{"sender": "b", "text": "ho"}]]
    found = parse(Path("dataset.json"), json.dumps({"key": {"messages": runs}}))
    assert list(found) == ["key"]
    assert joined(found["key"]) == ["hi you", "ho"]


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("a.yml", "conversations:\n- [a\n", "a.yml:3: no YAML"),
        ("a.yml", "a: &a [x]\nconversations:\n- *a\n", "a.yml:3: aliases"),
        ("a.yml", "conversations: !!python/object/apply:os.system ['touch /tmp/harm']\n", "a.yml:1: no YAML"),
        ("a.yml", "conversations:\n- - {a: [b]}\n  - c\n", "conversation 1 is no list"),
        ("a.yml", "[" * 20_000, "a.yml"),
        ("a.csv", "only one\n", "a.csv:1: a line must have"),
        ("a.csv", 'a,b\n"c,d\n', "a.csv:2"),
        ("a.jsonl", '{"turns": ["a", "b"]}\n{"x": 1}\n', "a.jsonl:2: neither"),
        ("a.jsonl", '{"turns": \n', "a.jsonl:1: no JSON"),
        ("a.json", "[" * 200_000, "a.json: no JSON"),
        ("a.json", '{"a":\n]', "a.json:2: no JSON"),
        ("a.json", '"text"', "neither an export"),
        ("a.json", '{"k": {"messages": [[{"sender": 1}]]}}', "without sender or text"),
        ("a.log", "\x00\x00\x00", "no conversation"),
        ("a.pickle", "cos\nsystem\n(S'true'\ntR.", "unknown kind"),
    ],
)
def test_a_bad_file_gives_one_error_with_its_place(name: str, text: str, error: str) -> None:
    with pytest.raises(CorpusError, match=r"^[^\n]*$") as caught:
        parse(Path(name), text)
    assert error in str(caught.value)


@given(st.sampled_from([".yml", ".csv", ".jsonl", ".json", ".log", ".weechatlog"]), st.text(max_size=200))
def test_any_text_is_read_or_refused(kind: str, text: str) -> None:
    try:
        found = parse(Path(f"a{kind}"), text)
    except CorpusError:
        return
    assert all(len(talk) > 1 for talk in found.values())


def test_what_is_missing_or_a_folder_is_no_corpus(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(CorpusError, match=str(path)):
            read(path)


def test_a_folder_gives_the_files_that_are_corpora(tmp_path: Path) -> None:
    for name in ("b.yml", "a.csv", "notes.txt"):
        (tmp_path / name).write_text("x")
    assert [each.name for each in files(tmp_path)] == ["a.csv", "b.yml"]
