"""The page about rules, and `quackbridge duck test`."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from bots.rules import read
from bots.rules.examples import failures
from bridge.cli.duck import duck

_PAGE = Path(__file__).parents[3] / "docs" / "bots-rules.md"


def test_the_rules_on_the_page_do_what_it_says() -> None:
    match = re.search(r"## A file\n\n((?:    .*\n|\n)+)", _PAGE.read_text())
    assert match is not None
    script = read(re.sub("^    ", "", match[1], flags=re.MULTILINE).encode())
    assert len(script.examples) == 2
    assert [*map(str, failures(script))] == []


def test_the_examples_on_the_page_can_be_read() -> None:
    blocks = re.search(r"## Examples\n\n((?:    .*\n|\n)+)", _PAGE.read_text())
    assert blocks is not None
    for block in re.split(r"(?m)^(?=    examples:)", blocks[1]):
        if block.strip():
            read(f"rules:\n  - match: '*'\n    answer: hello\n{block}".encode())


@pytest.mark.parametrize(
    ("content", "status", "says"),
    [
        ("rules: [{match: a, answer: b, examples: {a: b}}]", 0, "1 examples of 1 rules, none wrong"),
        ("rules:\n- {match: a, answer: b, examples: {a: c}}", 1, "my.yaml:2: 'a': the answer is 'b'"),
        ("rules:\n- {match: a, answer: b, examples: [c]}", 1, "my.yaml:2: 'c': no rule answers"),
        ("rules:\n- {match: a, answer: b, examples: {a: null}}", 1, "my.yaml:2: 'a': this rule must not answer: 'b'"),
        ("rules:\n- {match: a, answer: [b, c], examples: {a: b}}", 1, "my.yaml:2: 'a': the answer is 'c'"),
        ("rules:\n- {match: (a, answer: b}\n- {match: c}", 2, 'my.yaml:3: rule "c": a rule has either'),
    ],
    ids=range(6),
)
def test_examples_are_run_from_the_command_line(content: str, status: int, says: str, tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(content)
    result = CliRunner().invoke(duck, ["test", str(tmp_path / "my.yaml")])
    assert result.exit_code == status
    assert says in result.output


def test_without_a_file_the_rules_that_come_with_the_bridge_are_tested() -> None:
    result = CliRunner().invoke(duck, ["test"])
    assert (result.exit_code, result.output.endswith("none wrong\n")) == (0, True)
