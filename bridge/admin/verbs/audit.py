"""The audit log, shown: who changed what, and failed logins."""

import re
from collections import deque
from datetime import UTC, datetime

import click

from bridge.admin.verbs.office import Answer, Office
from bridge.admin.verbs.params import DURATION
from bridge.users.audit import Record

_SHOWN = 50


@click.command("audit")
@click.option(
    "--since", type=DURATION, metavar="DURATION", help="How far back: 30m, 12h or 7d; default: all that is kept."
)
@click.option("--user", "about", metavar="NAME", help="Only what NAME did, or what was done about NAME.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=_SHOWN, show_default=True, help="How many, the latest ones."
)
@click.pass_obj
def audit(office: Office, since: float | None, about: str | None, limit: int) -> Answer:
    """Show who changed what, and failed logins; the latest last."""
    start = office.clock() - since if since else 0.0
    records = (record for record in office.audit.read() if record.time >= start)
    found = deque((each for each in records if about is None or about in _named(each)), maxlen=limit)
    data = [{"time": each.time, "by": each.by, "what": each.what, "details": each.details} for each in found]
    rows = [
        (f"{datetime.fromtimestamp(each.time, UTC):%Y-%m-%d %H:%M:%S}", each.by, each.what, each.details)
        for each in found
    ]
    return Answer(data, "nothing is recorded", ("when (UTC)", "who", "what", "details") if rows else (), rows)


def _named(record: Record) -> set[str]:
    """The names in a record: the actor, and each word of the details."""
    return {record.by.partition(" ")[0], *re.findall(r"[^\s,:;]+", record.details)}
