"""Comparing emoji with people whose clients verify the bridge: what they are, and what an admin says to them."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import click

from bridge.admin.live import NotRunning
from bridge.admin.verbs.office import Answer, Office
from bridge.model.text import printable

_LOOK_S = 1.0
"""Seconds between two looks while `--wait` waits."""
_LONGEST_S = 3600
_ANSWERS = ("yes", "no")
_NONE = (
    "nothing to compare now. Somebody begins by choosing “verify” for the bridge in their client; it lasts ten minutes"
)
_ASK = "Ask them face to face or by phone, not in a chat, what they see. Is it the same?"


@click.command("verify")
@click.argument("what", required=False, metavar="[NETWORK | yes | no]")
@click.argument("id_", required=False, metavar="[ID]")
@click.option(
    "--wait",
    "wait_s",
    type=click.IntRange(0, _LONGEST_S),
    default=0,
    metavar="SECONDS",
    help="Wait so long for somebody to begin; command line only.",
)
@click.pass_obj
def verify(office: Office, what: str | None, id_: str | None, wait_s: int) -> Answer:
    """Compare emoji with somebody who verifies the bridge in their client.

    Alone, it shows the emoji of those who wait, of all networks or of NETWORK. `yes` says that the other side shows the
    same, `no` that it does not; ID is needed only if several wait. Ask the person face to face or by phone: a chat
    could be forged by whoever is between you. On the command line it asks at once, and reads the answer from standard
    input.
    """
    if what in _ANSWERS:
        return _answered(office, _one(_waiting(office, None), id_), same=what == "yes")
    if what is not None and what not in office.config.networks:
        raise click.UsageError(f"there is no network {what!r}; there are: {', '.join(office.config.networks)}")
    if id_ is not None:
        raise click.UsageError("say `yes` or `no` before the ID")
    found = _waited(office, what, wait_s)
    confirm = office.terminal.confirm if office.at_terminal else None
    if len(found) == 1 and confirm is not None:
        said = confirm(f"{_shown(found[0])}\n{_ASK}").strip().lower()
        if said in _ANSWERS:
            return _answered(office, found[0], same=said == "yes")
        return Answer({"comparisons": found}, "not answered: it still waits")
    return Answer({"comparisons": found}, "\n".join(map(_shown, found)) if found else _NONE)


def _asked(office: Office, question: str, **about: object) -> Mapping[str, object]:
    """The daemon's answer. Raises ClickException."""
    try:
        return office.live.ask(question, **about)
    except NotRunning as error:
        raise click.ClickException(str(error)) from None


def _waiting(office: Office, network: str | None) -> Sequence[Mapping[str, object]]:
    found = _asked(office, "comparisons").get("comparisons")
    assert isinstance(found, list)
    return [each for each in found if network is None or each["network"] == network]


def _waited(office: Office, network: str | None, wait_s: int) -> Sequence[Mapping[str, object]]:
    """Those that wait for an answer; if there are none, once there is one, `wait_s` seconds at most."""
    if wait_s and not office.at_terminal:
        raise click.UsageError("--wait works on the command line only")
    found, until = _waiting(office, network), time.monotonic() + wait_s
    while not found and time.monotonic() < until:
        time.sleep(_LOOK_S)
        found = _waiting(office, network)
    return found


def _one(found: Sequence[Mapping[str, object]], id_: str | None) -> Mapping[str, object]:
    """The one with that id, or the only one."""
    those = [each for each in found if id_ is None or each["id"] == id_.lower()]
    if not those:
        raise click.ClickException(f"there is no comparison {id_}: it may be over" if id_ and found else _NONE)
    if len(those) > 1:
        raise click.UsageError(f"several wait, so say which: {', '.join(str(each['id']) for each in those)}")
    return those[0]


def _answered(office: Office, found: Mapping[str, object], *, same: bool) -> Answer:
    network, id_ = str(found["network"]), str(found["id"])
    said = _asked(office, "answer_comparison", network=network, id=id_, same=same)
    words = str(said["said"])
    about = "the same" if same else "not the same"
    office.audit.record(office.by, "verify", f"{network}: {found['user']} (device {found['device']}): {about}")
    return Answer({"said": words, "id": id_, "same": same}, words)


def _shown(found: Mapping[str, object]) -> str:
    """One that waits, in words."""
    emoji, numbers, until = found["emoji"], found["numbers"], found["until"]
    assert isinstance(emoji, list)
    assert isinstance(numbers, list)
    assert isinstance(until, float | int)
    pairs = "  ".join(f"{symbol} {name}" for symbol, name in emoji)
    who = printable(f"{found['user']} (device {found['device']})")
    over = f"{datetime.fromtimestamp(until, UTC):%H:%M} UTC"
    return f"{found['id']}: {who} on {found['network']}, until {over}: {pairs}, or {' '.join(map(str, numbers))}"
