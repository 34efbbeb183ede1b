"""`quackbridge chat`: with piped lines, and in a terminal."""

import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.daemon import quackbridge

pytestmark = pytest.mark.real_time

_ROOT = str(Path(__file__).parents[2])
_BRAINS = '''
"""Brains of these tests."""
import asyncio
from bots.api import Reply


class Who:
    """Says what it knows of who asks, and what was said before."""

    async def reply(self, question):
        before = " / ".join(f"{turn.name}{'*' if turn.ours else ''}: {turn.text}" for turn in question.turns)
        where = question.link or ("private" if question.private else "nowhere")
        return Reply(f"{question.user} {question.role} in {where} after [{before}]", "score 0.9")


class Crash:
    """A bot that fails."""

    def __init__(self, name):
        self.name = name

    async def answer(self, question):
        raise RuntimeError("oh\\x1b[31m no")


class Speaks:
    """Speaks unasked."""

    def __init__(self, home):
        self._home = home

    async def run(self):
        await self._home.tell("alice", "it is *time*")

    async def reply(self, question):
        return None
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "minds.py").write_text(_BRAINS)
    return tmp_path


def _configure(folder: Path, **duck: Any) -> None:
    irc = {"type": "irc", "server": "127.0.0.1:1", "tls": False, "nick": "duck"}
    config = {
        "networks": {"irc": irc},
        "links": {"pond": {"rooms": ["irc/#pond", "irc/#sea"], "bots": ["duck"]}},
        "bots": {"duck": {"name": "Duck", **duck}},
        "users": {"database": "data/users.json"},
        "store": {"path": "data/store.sqlite"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


@pytest.fixture(autouse=True)
def _minds_can_be_imported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([_ROOT, str(folder)]))
    monkeypatch.setenv("PROMPT_TOOLKIT_NO_CPR", "1")
    monkeypatch.setenv("TERM", "xterm")


def _chat(folder: Path, *options: str, stdin: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "bridge", "chat", *options]
    return subprocess.run(command, cwd=folder, input=stdin, capture_output=True, check=False, timeout=60)


def _said(folder: Path, *options: str, stdin: str) -> str:
    done = _chat(folder, *options, stdin=stdin.encode())
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def test_what_was_said_before_is_context_and_explain_names_the_brain_and_its_reason(folder: Path) -> None:
    _configure(folder, brain=["minds:Who"])
    first, why, second, _why = _said(folder, "--explain", stdin="hello\nagain\n").splitlines()
    assert first == "Duck> None None in private after []"
    assert why == "  (minds:Who: score 0.9)"
    assert second == f"Duck> None None in private after [you: hello / Duck*: {first.removeprefix('Duck> ')}]"


def test_one_talks_as_a_user_in_a_link(folder: Path) -> None:
    _configure(folder, brain=["minds:Who"])
    assert quackbridge(folder, "init-db").returncode == 0
    for command in (["add-user", "alice"], ["set-role", "alice", "admin"]):
        done = quackbridge(folder, *command)
        assert done.returncode == 0, done.stderr
    assert _said(folder, "--as", "Alice", "--link", "pond", stdin="hi\n") == "Duck> alice admin in pond after []\n"
    for options, said in (
        (["--as", "bob"], "there is no user 'bob'"),
        (["--link", "lake"], "there is no link 'lake' in config.yaml; there are: pond"),
        (["--brain", "nothing"], "there is no 'nothing'"),
    ):
        wrong = _chat(folder, *options, stdin=b"hi\n")
        assert (wrong.returncode, wrong.stdout) == (2, b"")
        assert said in wrong.stderr.decode()
        assert "Traceback" not in wrong.stderr.decode()


def test_one_brain_can_be_tried_alone_and_there_is_no_delay(folder: Path) -> None:
    _configure(folder, brain=["commands", "minds:Who"], delay=3600)
    assert _said(folder, "--brain", "echo", "--explain", stdin="ping\n") == "Duck> ping\n  (echo)\n"


def test_a_bot_that_fails_costs_one_answer_and_its_error_is_shown_without_controls(folder: Path) -> None:
    _configure(folder, use="minds:Crash")
    done = _chat(folder, stdin=b"one\ntwo\n")
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.count(b"(RuntimeError: oh") == 2
    assert b"\x1b" not in done.stderr


def test_piped_bytes_that_are_no_text_are_a_question_too(folder: Path) -> None:
    done = _chat(folder, "--brain", "echo", stdin=b"\xff\xfe quack\nnext\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == b"Little Yellow Duck> next"


class Terminal:
    """A chat in a terminal of its own."""

    def __init__(self, child: "subprocess.Popen[bytes]", descriptor: int) -> None:
        self._child = child
        self._descriptor = descriptor
        self.seen = ""

    def types(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def waits_for(self, text: str, times: int = 1) -> None:
        """Wait until the terminal shows it; fails if the chat ends before, or says nothing for 20 seconds."""
        while self.seen.count(text) < times:
            assert select.select([self._descriptor], [], [], 20)[0], f"{text!r} is not in {self.seen!r}"
            try:
                self.seen += os.read(self._descriptor, 65536).decode(errors="replace")
            except OSError:
                raise AssertionError(f"{text!r} is not in {self.seen!r}") from None

    def ends_by(self, key: str) -> int:
        """The exit code after `key`, which is pressed again each second: between two prompts it is lost."""
        for _ in range(20):
            self.types(key)
            while select.select([self._descriptor], [], [], 1)[0]:
                try:
                    self.seen += os.read(self._descriptor, 65536).decode(errors="replace")
                except OSError:  # the chat has closed its end
                    return self._child.wait(20)
        raise AssertionError(f"it does not end: {self.seen!r}")


@contextmanager
def _terminal(folder: Path, *options: str) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "bridge", "chat", *options]
    with subprocess.Popen(
        command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as child:
        os.close(theirs)
        try:
            yield Terminal(child, ours)
        finally:
            child.kill()
            os.close(ours)


def test_in_a_terminal_the_arrow_keys_bring_back_what_was_said_and_tab_completes_it(folder: Path) -> None:
    with _terminal(folder, "--brain", "echo") as terminal:
        terminal.waits_for("you>")
        terminal.types("wibblewobble\r")
        terminal.waits_for("Little Yellow Duck> wibblewobble")
        terminal.types("\x1b[A\r")
        terminal.waits_for("Little Yellow Duck> wibblewobble", times=2)
        before = terminal.seen.count("blewobble")
        terminal.types("wib\t")
        terminal.waits_for("blewobble", times=before + 1)
        terminal.types("\r")
        terminal.waits_for("Little Yellow Duck> wibblewobble", times=3)
        assert terminal.ends_by("\x04") == 0
        assert "Traceback" not in terminal.seen


def test_ctrl_c_in_a_terminal_ends_with_130(folder: Path) -> None:
    with _terminal(folder, "--brain", "echo") as terminal:
        terminal.waits_for("you>")
        terminal.types("half a li")
        assert terminal.ends_by("\x03") == 130
        assert "quackbridge: interrupted" in terminal.seen
        assert "Traceback" not in terminal.seen


def test_what_the_bot_does_by_itself_goes_on_while_the_terminal_waits(folder: Path) -> None:
    _configure(folder, brain=["minds:Speaks", "echo"])
    with _terminal(folder) as terminal:
        terminal.waits_for("Duck (to alice)> it is time")
        assert terminal.ends_by("\x04") == 0
