"""The history: when rooms were away and why, when the daemon was started, and what was lost."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import click

from bridge.admin.verbs.office import Answer, Office
from bridge.admin.verbs.params import since_option
from bridge.lib.durations import spelled
from bridge.model.accounting import Ledger, Tally
from bridge.model.health import rfc3339
from bridge.model.history import PastOutage, Run

_ROOMS = 3
"""Rooms that are named of an outage: a network may have hundreds."""
_TOGETHER_S = 5.0
"""Seconds: outages of rooms of a network that begin, and end, so close together are shown as one."""


@click.command("history")
@since_option("7d")
@click.pass_obj
def history(office: Office, since: float) -> Answer:
    """Show when rooms were away and why, when the daemon was started, and what was lost."""
    now = office.clock()
    outages = office.stored(lambda store: store.outages(now - since))
    runs = office.stored(lambda store: store.runs(now - since))
    ledger = office.stored(lambda store: store.ledger(now - since))
    rows = [*_outage_rows(outages, now), *_run_rows(runs), *_loss_rows(ledger)]
    if not rows:
        return Answer(_plain(outages, runs, ledger, now), f"nothing was away or lost in the last {spelled(since)}")
    return Answer(_plain(outages, runs, ledger, now), "", ("when (UTC)", "how long", "what", "why"), rows)


def _plain(outages: Sequence[PastOutage], runs: Sequence[Run], ledger: Ledger, now: float) -> Mapping[str, object]:
    return {
        "outages": [
            {
                "network": each.room.network,
                "room": each.room.id,
                "began": rfc3339(each.began),
                "ended": _time(each.ended),
                "seconds": round(max(0.0, (now if each.ended is None else each.ended) - each.began)),
                "reason": each.reason,
            }
            for each in outages
        ],
        "runs": [{"began": rfc3339(each.began), "ended": _time(each.ended), "version": each.version} for each in runs],
        "lost": [{"reason": reason, "number": number} for reason, number in ledger.lost],
        "dead": sum(account.dead for account in ledger.accounts),
        "gaps": ledger.counted(Tally.UNKNOWN),
    }


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else rfc3339(seconds)


def _outage_rows(outages: Sequence[PastOutage], now: float) -> Iterable[Sequence[str]]:
    for together in _grouped(outages):
        first = together[0]
        rooms = [str(each.room) for each in together]
        more = f" and {len(rooms) - _ROOMS} more" if len(rooms) > _ROOMS else ""
        ended = max((each.ended for each in together if each.ended is not None), default=None)
        lasted = spelled((now if first.ended is None or ended is None else ended) - first.began)
        is_over = "" if first.ended is not None else ", not over"
        yield _when(first.began), f"{lasted}{is_over}", f"away: {', '.join(rooms[:_ROOMS])}{more}", first.reason


def _grouped(outages: Sequence[PastOutage]) -> Iterable[Sequence[PastOutage]]:
    """Outages that are one for people. The first that began comes first."""
    groups: list[list[PastOutage]] = []
    for each in outages:
        same = next((group for group in reversed(groups) if _is_same(group[0], each)), None)
        if same is None:
            groups.append([each])
        else:
            same.append(each)
    return groups


def _is_same(one: PastOutage, other: PastOutage) -> bool:
    if one.room.network != other.room.network or one.reason != other.reason:
        return False
    if one.ended is None or other.ended is None:
        return one.ended == other.ended and other.began - one.began <= _TOGETHER_S
    return other.began - one.began <= _TOGETHER_S and abs(other.ended - one.ended) <= _TOGETHER_S


def _run_rows(runs: Sequence[Run]) -> Iterable[Sequence[str]]:
    for number, run in enumerate(runs):
        is_last = number == len(runs) - 1
        how = "" if is_last or run.ended is not None else "it did not end as it should: it was killed, or it crashed"
        lasted = "" if run.ended is None else spelled(run.ended - run.began)
        yield _when(run.began), lasted, f"started: quackbridge {run.version}", how


def _loss_rows(ledger: Ledger) -> Iterable[Sequence[str]]:
    for reason, number in ledger.lost:
        yield "", "", "1 message was lost" if number == 1 else f"{number} messages were lost", reason
    if gaps := ledger.counted(Tally.UNKNOWN):
        yield "", "", "1 gap" if gaps == 1 else f"{gaps} gaps", "the network keeps no history of that time"


def _when(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
