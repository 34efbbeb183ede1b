"""What the demo shows, and what its people understand, without any server."""

import io
import sys

import pytest
from click.testing import CliRunner
from rich.console import Console

from bridge.cli.demo import demo
from bridge.demo.people import Ears, Heard, Line, NotHeard
from bridge.demo.servers import Synapse
from bridge.demo.show import Screen, printable


def _shown(heard: Heard) -> str:
    output = io.StringIO()
    Screen(Console(file=output, width=200)).show("IRC", heard)
    return output.getvalue()


def _heard(text: str, sender: str = "bob", kind: str = "text", room: str = "#pond") -> Heard:
    return Heard(room, sender, text, kind, at=0.0)


def test_control_characters_in_messages_do_not_reach_the_terminal() -> None:
    shown = _shown(_heard("\x1b[2J\x07[red]boo[/red]\u202e", sender="b\x1bob"))
    assert shown.split(maxsplit=1)[1].split() == ["IRC", "b\ufffdob", "\ufffd[2J\ufffd[red]boo[/red]\ufffd"]
    assert printable("Grüße, 🦆") == "Grüße, 🦆"


def test_the_text_of_a_message_is_not_dimmed_like_its_time() -> None:
    output = io.StringIO()
    Screen(Console(file=output, force_terminal=True, color_system="standard")).show("IRC", _heard("hello"))
    assert output.getvalue().rstrip().endswith("\x1b[0mhello")


def test_without_a_homeserver_the_demo_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Synapse, "missing", lambda: "not here")
    result = CliRunner().invoke(demo, [])
    assert result.exit_code == 1
    assert result.output == f"Error: the demo needs a homeserver: {sys.executable} -m pip install matrix-synapse\n"


def test_an_action_and_a_private_message_are_shown_as_such() -> None:
    assert "* bob waves" in _shown(_heard("waves", kind="action"))
    assert "(to mallory alone) psst" in _shown(_heard("psst", room="mallory"))


def test_a_matrix_id_is_shown_by_its_localpart() -> None:
    assert " alice hello" in _shown(_heard("hello", sender="@alice:localhost", room="!r"))


def test_each_line_of_a_message_starts_in_the_same_column() -> None:
    first, second = _shown(_heard("one\ntwo")).splitlines()
    assert first.index("one") == second.index("two")


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        ("PING :a b", Line({}, "", "PING", ("a b",), "PING :a b")),
        (":s 001 me :hi", Line({}, "s", "001", ("me", "hi"), ":s 001 me :hi")),
        (
            r"@a=1\:\s\\;b :n!u@h PRIVMSG #c ::x :y",
            Line(
                {"a": "1; \\", "b": ""}, "n!u@h", "PRIVMSG", ("#c", ":x :y"), r"@a=1\:\s\\;b :n!u@h PRIVMSG #c ::x :y"
            ),
        ),
        (":s JOIN #c", Line({}, "s", "JOIN", ("#c",), ":s JOIN #c")),
        ("", Line({}, "", "", (), "")),
    ],
)
def test_an_irc_line_is_parsed_into_tags_prefix_command_and_parameters(raw: str, line: Line) -> None:
    assert Line.parse(raw) == line
    assert line.source == line.prefix.partition("!")[0]


async def test_waiting_for_a_message_finds_one_that_was_heard_before() -> None:
    ears = Ears()
    ears.take(_heard("quack"))
    assert (await ears.heard("quack", timeout=1)).text == "quack"


async def test_waiting_for_a_message_fails_at_once_when_the_connection_has_ended() -> None:
    ears = Ears()
    ears.take(_heard("the last word"))
    ears.go_deaf("the server closed the connection")
    with pytest.raises(NotHeard, match=r"(?s)closed the connection.*the last word"):
        await ears.heard("quack", timeout=1)


async def test_following_yields_earlier_and_new_messages_and_ends_with_the_connection() -> None:
    ears = Ears()
    ears.take(_heard("one"))
    followed = []
    async for message in ears.follow():
        followed.append(message.text)
        if message.text == "one":
            ears.take(_heard("two"))
            ears.go_deaf("done")
    assert followed == ["one", "two"]
