"""Checks of the running daemon: it answers on its socket, and can read encrypted rooms."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from bridge.admin.live import NotDone, NotRunning, SocketLive
from bridge.doctor.finding import Finding, fail, ok, skip, warn
from bridge.lib import sockets


def found(store: Path, config: Path, *, runs: bool) -> Iterator[Finding]:
    """Ask the daemon that runs on this store, if one `runs`."""
    if not runs:
        yield skip("daemon", "none runs: nothing is carried until `quackbridge run` is started")
        return
    try:
        live = SocketLive(sockets.places(store, config, os.environ), store)
        answer, checks = live.ask("encryption"), live.ask("health").get("checks")
    except (NotRunning, NotDone) as error:
        yield warn("daemon", f"it runs, and cannot be asked: {error}", "run the doctor as the daemon's user")
        return
    yield ok("daemon", "it runs, and answers")
    for name, check in checks.items() if isinstance(checks, dict) else ():
        if not check["ok"]:
            yield warn(f"daemon {name}", str(check["reason"]), "see `quackbridge status`, and what the other lines say")
    for name, state in answer.items():
        if isinstance(state, dict):
            yield encryption(f"matrix {name} encryption", state)


def encryption(subject: str, state: Mapping[str, object]) -> Finding:
    """How the daemon's end-to-end encryption is: see `bridge.network.EncryptionState`."""
    problem, unsigned = str(state.get("problem") or ""), str(state.get("unsigned") or "")
    rooms = state.get("rooms")
    number = len(rooms) if isinstance(rooms, list) else 0
    if problem and number:
        return fail(subject, f"{number} rooms are encrypted, and cannot be read: {problem}", "see the daemon's log")
    if problem:
        return skip(subject, problem)
    if unsigned:
        do = "run `quackbridge matrix-setup`: until then clients warn of the bridge's device"
        return warn(subject, f"the bridge's device is not signed: {unsigned}", do)
    return ok(subject, f"it works, in {number} encrypted rooms")
