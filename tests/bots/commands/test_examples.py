"""The examples in the docstrings of all commands, and the page about them."""

import re
from pathlib import Path

import pytest

from bots.brains.commands import Commands
from bots.commands import finding
from bots.commands.command import Command
from tests.bots.commands.talk import Talk, user
from tests.bots.commands.web import FakeWeb

_ALL_ON = Commands.Settings(karma=True, weather="https://weather.example/{place}", titles="{url}")
_SOMEBODY = re.compile(r"([a-z]+): (.*)")
_PAGE = Path(__file__).parents[3] / "docs" / "bots-commands.md"


@pytest.mark.parametrize("command", finding.ALL, ids=lambda each: each.name)
async def test_the_examples_of_a_command_are_true(command: Command) -> None:
    assert command.samples
    talk = Talk(settings=_ALL_ON)
    talk.home.web = FakeWeb()
    for sample in command.samples:
        somebody = _SOMEBODY.fullmatch(sample.said)
        name, text = somebody.groups() if somebody else ("alice", sample.said)
        answer = await talk.say(user(name), text, called=somebody is None)
        said = "\n".join([*talk.said, *filter(None, [answer])])
        expected = re.escape(sample.answer).replace(r"\.\.\.", ".*")
        assert re.fullmatch(expected, said, re.DOTALL), f"{sample.said}: {said}"


@pytest.mark.parametrize("command", finding.ALL, ids=lambda each: each.name)
def test_each_command_tells_what_it_does_in_one_short_sentence(command: Command) -> None:
    assert 10 < len(command.about) < 80
    assert command.about.endswith(".")
    assert command.usage.startswith(command.name)


def test_no_name_is_used_twice() -> None:
    names = [name for command in finding.ALL for name in command.names]
    assert len(names) == len({*names})


def test_the_page_has_the_commands_as_the_functions_tell_them() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (.+?) \| `([^`]+)` \|$", _PAGE.read_text(), re.MULTILINE)
    expected = [
        (
            each.usage.replace("|", "\\|"),
            each.about.replace("|", "\\|"),
            each.samples[_of(each)].said.replace("|", "\\|"),
        )
        for each in finding.ALL
    ]
    assert rows == expected


def _of(command: Command) -> int:
    """The number of the first example that says the command itself."""
    return next(
        number
        for number, sample in enumerate(command.samples)
        if any(sample.said.startswith(name) for name in command.names)
    )
