"""The command line and the daemon in processes of their own that need not import anything: forked from one that has.

Importing takes half a second and more, and the tests run some hundred commands and daemons. `python -m
tests.integration.forks` is the process that is forked: it takes one order (a line of JSON) after the other, and answers
each with a number.
"""

import functools
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

_PATIENCE = 30.0  # seconds


def run(folder: Path, arguments: Sequence[str], stdin: str, timeout: float) -> subprocess.CompletedProcess[str]:
    """`quackbridge ARGUMENTS`, run in `folder` with the environment of now. TimeoutExpired after so many seconds."""
    with tempfile.TemporaryDirectory() as place:
        streams = [Path(place, name) for name in ("in", "out", "err")]
        streams[0].write_text(stdin)
        try:
            status = wait(start(folder, arguments, streams), timeout)
        except TimeoutError:
            raise subprocess.TimeoutExpired(
                list(arguments), timeout, streams[1].read_bytes(), streams[2].read_bytes()
            ) from None
        out, err = (path.read_text() for path in streams[1:])
        return subprocess.CompletedProcess(arguments, status, out, err)


def start(folder: Path, arguments: Sequence[str], streams: Sequence[Path], before: str = "") -> int:
    """Start `quackbridge ARGUMENTS` in `folder` with the environment of now, as the first of a process group of its
    own, with these files as input, output and errors: its process id. `before`: what it calls first, as
    `module:function`."""
    paths = [str(path) for path in streams]
    order = {
        "folder": str(folder),
        "arguments": arguments,
        "environ": dict(os.environ),
        "streams": paths,
        "before": before,
    }
    return _ask(order)


def wait(pid: int, timeout: float = _PATIENCE) -> int:
    """The exit status of a process that was started here, negative for a signal. Kills it, and raises TimeoutError, if
    it has not ended after so many seconds."""
    watch = threading.Timer(timeout, os.killpg, (pid, signal.SIGKILL))
    watch.start()
    status = _ask({"wait": pid})
    late = not watch.is_alive()
    watch.cancel()
    if late:
        raise TimeoutError
    return status


def _ask(order: Mapping[str, object]) -> int:
    parent = _parent()
    assert parent.stdin is not None
    assert parent.stdout is not None
    parent.stdin.write(json.dumps(order) + "\n")
    parent.stdin.flush()
    return int(parent.stdout.readline())


@functools.cache
def _parent() -> subprocess.Popen[str]:
    """It ends when we do: its input is closed then."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-m", __name__], stdin=pipe, stdout=pipe, text=True, start_new_session=True
    )


def _serve() -> None:
    main = _import_all()
    gc.collect()
    gc.freeze()  # else the first collection in each child copies all that is shared
    for line in iter(sys.stdin.readline, ""):
        order: Mapping[str, Any] = json.loads(line)
        if "wait" in order:
            _, status = os.waitpid(order["wait"], 0)
            _answer(os.waitstatus_to_exitcode(status))
        else:
            _answer(_fork(order, main))


def _import_all() -> Callable[[], None]:
    from bridge.__main__ import main
    from bridge.admin.verbs import VERBS

    with patch.dict(sys.modules, rich=None, twisted=None):  # as bridge.cli.run does; commands need rich
        import_module("structlog")
    for module in ("bots.duck", "bridge.app.daemon", "bridge.app.log"):
        import_module(module)
    for verb in VERBS.values():
        verb.command  # noqa: B018  (imports it)
    return main


def _answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _fork(order: Mapping[str, Any], main: Callable[[], None]) -> int:
    opened = [os.open(path, os.O_RDWR | os.O_CREAT) for path in order["streams"]]
    child = os.fork()
    if child == 0:
        _become(order, opened)
        if order["before"]:
            module, _, name = order["before"].partition(":")
            getattr(import_module(module), name)()
        main()  # ends with SystemExit, and the process with that
    os.setpgid(child, child)  # here too: whoever is told of the child may kill its group at once
    for stream in opened:
        os.close(stream)
    return child


def _become(order: Mapping[str, Any], streams: Sequence[int]) -> None:
    """Be as if just started with these arguments."""
    os.setpgid(0, 0)
    os.environ.clear()
    os.environ.update(order["environ"])
    os.chdir(order["folder"])
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    sys.argv = ["quackbridge", *order["arguments"]]


if __name__ == "__main__":
    _serve()
