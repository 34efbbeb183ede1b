"""Exchanges with servers that are not at hand, as their source, their tests or transcripts of theirs have them."""

import pytest

from tests.irc.script import SCRIPTS, Player


@pytest.mark.parametrize("name", sorted(path.name for path in SCRIPTS.glob("*.txt")))
def test_the_exchange_goes_as_it_is_written(name: str) -> None:
    """What each script shows stands in its first lines."""
    Player(name).play()


@pytest.mark.parametrize(
    ("name", "line", "instead"),
    [
        ("znc-plain.txt", "== #pond then bob: one", "== #pond then bob: two"),
        ("znc-playback.txt", "-> CAP LS 302", "-> CAP LS 301"),
        ("ergo.txt", "== #pond caught up", "== #pond caught up, gap"),
    ],
)
def test_a_script_that_says_something_else_fails(
    name: str, line: str, instead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (SCRIPTS / name).read_text()
    assert line in text.splitlines()
    other = "\n".join(instead if each == line else each for each in text.splitlines())
    monkeypatch.setattr("pathlib.Path.read_text", lambda _: other)
    with pytest.raises(AssertionError):
        Player(name).play()
