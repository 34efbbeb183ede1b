"""`quackbridge duck train`, `info` and `eval`: what people see."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bridge.cli.duck import duck as command

CSV = "question,answer\nHow do I join?,Say request.\nWho can hear me?,All members.\n"


def duck(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [*map(str, arguments)])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "faq.csv").write_text(CSV)
    done = duck("train", tmp_path / "faq.csv", "--out", tmp_path / "duck.model")
    assert done.exit_code == 0, done.output
    assert "2 known questions, no small talk" in done.output
    return tmp_path / "duck.model"


def test_info_shows_what_a_model_was_made_of(model: Path) -> None:
    shown = duck("info", model).output
    assert "2 known questions, no small talk\nversion 1, 0.0 MB, checksum " in shown
    assert f"made of {model.parent.name}: 2 conversations in 1 files" in shown


def test_eval_mine_shows_which_of_ones_own_questions_go_wrong(model: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("how do i jion,Say request.\nwhere is the duck pond,Here.\n")
    assert duck("eval", model, "--mine", tmp_path / "mine.csv").output.splitlines() == [
        "where is the duck pond: nothing",
        "1 of 2 questions are answered as asked",
    ]


def test_eval_measures_known_questions(model: Path, tmp_path: Path) -> None:
    shown = duck("eval", model, tmp_path / "faq.csv").output
    assert f"{tmp_path.name}: 2 questions with two slips, the right one first" in shown


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["train", "notes.csv", "--out", "m"], "notes.csv:1: a line must have a question and an answer"),
        (["train", "chat.log", "--out", "m"], "the corpora have no question with an answer, and fewer than 200"),
        (["train", "notes.csv"], "Missing option '--out'"),
        (["info", "notes.csv"], "notes.csv: this is no model"),
        (["eval", "m"], "File 'm' does not exist"),
        (["eval", "notes.csv"], "name the CORPORA"),
    ],
    ids=lambda value: "-".join(value[:2]) if isinstance(value, list) else "",
)
def test_mistakes_give_one_line_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], error: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes.csv").write_text("no comma here\n")
    Path("chat.log").write_text("10:00 <ann> hi\n10:01 <bob> ho\n")
    done = duck(*arguments)
    assert done.exit_code == 2
    assert error in done.output
    assert not Path("m").exists()
