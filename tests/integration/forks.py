"""The command line in processes of their own that need not import it: forked from one that has done so.

Importing takes half a second, and the tests run some hundred commands. `python -m tests.integration.forks` is the
process that is forked: it takes one order (a line of JSON) after the other, and answers with the exit status.
"""

import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_STREAMS = ("in", "out", "err")


def run(folder: Path, arguments: Sequence[str], stdin: str, timeout: float) -> subprocess.CompletedProcess[str]:
    """`quackbridge ARGUMENTS`, run in `folder` with the environment of now. TimeoutExpired after so many seconds."""
    with tempfile.TemporaryDirectory() as place:
        streams = [Path(place, name) for name in _STREAMS]
        streams[0].write_text(stdin)
        paths = [str(path) for path in streams]
        order = {"folder": str(folder), "arguments": arguments, "environ": dict(os.environ), "streams": paths}
        answer = _ask(json.dumps(order), timeout)
        if not answer:
            raise subprocess.TimeoutExpired(list(arguments), timeout, streams[1].read_bytes(), streams[2].read_bytes())
        out, err = (path.read_text() for path in streams[1:])
        return subprocess.CompletedProcess(arguments, int(answer), out, err)


def _ask(order: str, timeout: float) -> str:
    parent = _parent()
    assert parent.stdin is not None
    assert parent.stdout is not None
    watch = threading.Timer(timeout, os.killpg, (parent.pid, signal.SIGKILL))
    watch.start()
    try:
        parent.stdin.write(order + "\n")
        parent.stdin.flush()
        answer: str = parent.stdout.readline()
    finally:
        watch.cancel()
    if not answer:
        _parent.cache_clear()  # it is dead; the next order starts another
    return answer


@functools.cache
def _parent() -> subprocess.Popen[str]:
    """It ends when we do: its input is closed then."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-m", __name__], stdin=pipe, stdout=pipe, text=True, start_new_session=True
    )


def _serve() -> None:
    from bridge.__main__ import main
    from bridge.admin.verbs import VERBS

    for verb in VERBS.values():
        verb.command  # noqa: B018  (imports it)
    for line in iter(sys.stdin.readline, ""):
        order: Mapping[str, Any] = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(order)
            main()  # ends with SystemExit, and the process with that
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _become(order: Mapping[str, Any]) -> None:
    """Be as if just started with these arguments."""
    os.environ.clear()
    os.environ.update(order["environ"])
    os.chdir(order["folder"])
    for number, path in enumerate(order["streams"]):
        opened = os.open(path, os.O_RDWR | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    sys.argv = ["quackbridge", *order["arguments"]]


if __name__ == "__main__":
    _serve()
