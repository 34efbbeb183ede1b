"""What may reach the operator's screen: names and reasons are other people's words."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog

from bridge.app import log

HOSTILE = "eve\x1b[2J\x1b]0;x\x07\r\nFAKE \u202eline\x9b1m"


class Screen(io.StringIO):
    """A standard error that is a terminal, or not."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@contextmanager
def _configured(*, terminal: bool) -> Iterator[Screen]:
    shown, before = Screen(terminal=terminal), sys.stderr
    handlers, level = logging.root.handlers[:], logging.root.level
    sys.stderr = shown
    try:
        log.configure()
        yield shown
    finally:
        sys.stderr = before
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
        structlog.reset_defaults()


@pytest.fixture(params=[True, False], ids=["terminal", "json"])
def screen(request: pytest.FixtureRequest) -> Iterator[Screen]:
    with _configured(terminal=request.param) as shown:
        yield shown


def test_control_characters_in_names_and_reasons_do_not_reach_the_screen(screen: Screen) -> None:
    structlog.get_logger().warning("refused", sender=HOSTILE, reasons=[HOSTILE], **{HOSTILE: 1})
    logging.getLogger("aiohttp").warning("a library says %s", HOSTILE)
    shown = screen.getvalue()
    assert "eve" in shown
    assert "FAKE" in shown
    assert not any(mark in shown for mark in ("\x1b[2J", "\x1b]", "\x07", "\r", "\u202e", "\x9b", "\nFAKE"))
    assert len(shown.splitlines()) == 2


def test_an_exception_is_shown_with_its_place_and_without_the_values_of_variables(screen: Screen) -> None:
    password = "hunter" + "2"
    try:
        raise ValueError(f"{HOSTILE} {len(password)}")
    except ValueError:
        structlog.get_logger().exception("bot failed", bot="duck")
    shown = screen.getvalue()
    assert "ValueError" in shown
    assert "test_log.py" in shown
    assert password not in shown
    assert not any(mark in shown for mark in ("\x1b[2J", "\x07", "\r", "\u202e"))


def test_the_json_log_keeps_every_character() -> None:
    with _configured(terminal=False) as shown:
        structlog.get_logger().info("refused", sender=HOSTILE)
    assert json.loads(shown.getvalue())["sender"] == HOSTILE


def test_the_error_line_of_a_command_is_one_printable_line() -> None:
    code = f"import bridge.__main__ as m; m._say({HOSTILE!r}, 1)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    shown = done.stderr.decode()
    assert shown.startswith("quackbridge: eve")
    assert shown.count("\n") == 1
    assert shown.rstrip("\n").isprintable()


def test_log_lines_that_repeat_are_folded_except_those_about_a_sent_post() -> None:
    with _configured(terminal=False) as shown:
        for number in range(100):
            structlog.get_logger().info("sent", room="home/#pond", post=str(number))
            structlog.get_logger().warning("refused", room="home/#pond", reason=str(number))
    told = [json.loads(line)["event"] for line in shown.getvalue().splitlines()]
    assert (told.count("sent"), told.count("refused")) == (100, 30)
