"""The first message: runs the bridge until a line of the operator has arrived on the other side, both ways."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

from bridge.model.event import Room
from bridge.setup.answers import Answers
from bridge.setup.console import Console
from bridge.store.peek import Carried, carried

_READY_S = 60.0
_CARRIED_S = 300.0
_LOOK_S = 0.2
_MOST = 1 << 20
_STOPPED_S = 10.0


def first_message(console: Console, config: Path, answers: Answers, within: float = _CARRIED_S) -> bool:
    """Run `quackbridge run` until a line has crossed each way; whether that happened. The bridge is stopped then."""
    console.title("The first message.")
    store = config.parent / "data" / "quackbridge.sqlite"
    with tempfile.TemporaryFile() as log:
        command = (sys.executable, "-m", "bridge", "run", "-c", str(config))
        # A session of its own: Ctrl-C is ours, and we stop it in order
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)  # noqa: S603
        try:
            if not _is_ready(child, log):
                console.say(f"  The bridge did not come up: {_last(log)}")
                return False
            return _both(console, child, store, answers, within)
        finally:
            _stop(child)


def _is_ready(child: "subprocess.Popen[bytes]", log: IO[bytes]) -> bool:
    until = time.monotonic() + _READY_S
    while time.monotonic() < until and child.poll() is None:
        if any(event.get("event") == "ready" for event in _events(log)):
            return True
        time.sleep(_LOOK_S)
    return False


def _both(console: Console, child: "subprocess.Popen[bytes]", store: Path, answers: Answers, within: float) -> bool:
    here = Room(answers.matrix.name, answers.matrix.room)
    there = Room(answers.irc.name, answers.irc.channel)
    wanted = [(here, there)]
    is_guest = len(answers.identities) == 1
    if not is_guest or answers.guests == "relay":
        wanted.append((there, here))
        console.say(f"  Say something in the Matrix room, and in {there.id} on IRC. I wait until both arrive.")
    else:
        console.say("  Say something in the Matrix room. I wait until it arrives on IRC, where you are a guest.")
    until = time.monotonic() + within
    while wanted and time.monotonic() < until and child.poll() is None:
        for each in carried(store):
            if not _is_theirs(each, answers, there):
                continue
            if (each.source, each.target) in wanted:
                wanted.remove((each.source, each.target))
                who = each.user or "a guest"
                console.say(f"  {who} in {each.source} -> {each.target}, acknowledged after {each.seconds:.1f} s")
        time.sleep(_LOOK_S)
    for source, target in wanted:
        console.say(f"  Nothing came from {source} to {target}. `quackbridge explain` tells why a line is not carried.")
    return not wanted


def _is_theirs(each: Carried, answers: Answers, there: Room) -> bool:
    """Whether the operator has said it: on IRC they may be a guest, whom nothing tells from others."""
    return each.user == answers.admin or (len(answers.identities) == 1 and each.source == there and not each.user)


def _events(log: IO[bytes]) -> list[dict[str, object]]:
    found = []
    for line in _read(log).splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            found.append(event)
    return found


def _read(log: IO[bytes]) -> bytes:
    """What is in the log, without moving the position at which the bridge writes: it shares that with us."""
    return os.pread(log.fileno(), _MOST, 0)


def _last(log: IO[bytes]) -> str:
    """The last reason in the log, or its last line."""
    reasons = [str(event["reason"]) for event in _events(log) if "reason" in event]
    lines = _read(log).decode(errors="replace").splitlines()
    return (reasons or lines or ["it said nothing"])[-1]


def _stop(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(_STOPPED_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
