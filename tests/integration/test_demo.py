"""The demo as a user runs it: it holds its conversation and says so, and Ctrl-C leaves nothing behind."""

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from bridge.demo.servers import Synapse

pytestmark = pytest.mark.servers

_COMMAND = (sys.executable, "-m", "bridge", "demo")


@pytest.fixture(autouse=True)
def _homeserver(synapse: Synapse) -> None:
    """Skips where no homeserver is installed."""


def test_demo_once_holds_the_whole_conversation_and_leaves_no_file(tmp_path: Path) -> None:
    done = _run([*_COMMAND, "--once"], tmp_path)
    assert done.returncode == 0, done.stdout
    for line in (
        "alice Good morning, pond!",
        "duck <alice> Good morning, pond!",
        "bob Loud and clear.",
        "duck <bob> Loud and clear.",
        "* bob throws some bread",
        "mallory duck: may I swim with you?",
        "Every line arrived, and the guest's stayed where it was said.",
    ):
        assert line in done.stdout
    assert not list(tmp_path.iterdir())


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=os.environ | {"TMPDIR": str(folder)}, capture_output=True, text=True, timeout=100, check=False
    )


@pytest.mark.parametrize("after", ["Starting the bridge", "is anybody there"])
def test_ctrl_c_ends_the_demo_and_leaves_no_process_and_no_file(after: str, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        _COMMAND, stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | {"TMPDIR": str(tmp_path)}
    )
    os.close(theirs)
    try:
        shown = _read_until(ours, after)
        assert after in shown, shown
        family = psutil.Process(child.pid).children(recursive=True)
        child.send_signal(signal.SIGINT)
        _read_until(ours)
        assert child.wait(30) == 0
    finally:
        child.kill()
        os.close(ours)
    assert family
    assert not [process for process in family if process.is_running()]
    assert not list(tmp_path.iterdir())


def _read_until(terminal: int, words: str | None = None) -> str:
    """What is shown until `words` appear, the other side is closed, or nothing comes for a minute."""
    shown = ""
    with contextlib.suppress(OSError):  # how Linux says that the other side is closed
        while (words is None or words not in shown) and select.select([terminal], [], [], 60)[0]:
            shown += os.read(terminal, 4096).decode(errors="replace")
    return shown
