"""The ledger: what was carried, refused and lost."""

from collections.abc import Sequence

import click

from bridge.admin.verbs.office import Answer, Office
from bridge.admin.verbs.params import since_option
from bridge.lib.durations import spelled
from bridge.model.accounting import Account, Ledger, Tally


@click.command("ledger")
@since_option("24h")
@click.pass_obj
def ledger(office: Office, since: float) -> Answer:
    """Show what was carried, refused and lost, with the reasons, and the share that arrived."""
    found = office.stored(lambda store: store.ledger(office.clock() - since))
    return Answer(_plain(found), "", ("", "how many"), [*_rows(found, spelled(since))])


def _plain(found: Ledger) -> dict[str, object]:
    return {
        "carried": found.carried,
        "refused": found.counted(Tally.REFUSED),
        "ratio": found.ratio,
        "sent": _sum(found, "sent"),
        "queued": _sum(found, "queued"),
        "dead": _sum(found, "dead"),
        "dropped": _sum(found, "dropped"),
        "resent": found.counted(Tally.RESENT),
        "unknown": found.counted(Tally.UNKNOWN),
        "lost": [{"reason": reason, "number": number} for reason, number in found.lost],
        "counts": [
            {"room": str(count.room), "what": str(count.what), "reason": count.reason, "number": number}
            for count, number in found.counts
        ],
        "networks": {
            name: {key: sum(getattr(each, key) for each in accounts) for key in ("sent", "queued", "dead", "dropped")}
            for name, accounts in _by_network(found).items()
        },
    }


def _rows(found: Ledger, since: str) -> Sequence[Sequence[str]]:
    heard = found.carried + found.counted(Tally.REFUSED)
    rows = [(f"heard in the last {since}", heard), ("  carried", found.carried)]
    rows.append(("  refused", found.counted(Tally.REFUSED)))
    rows += [(f"    {reason}", number) for reason, number in _refusals(found).items()]
    for name, accounts in _by_network(found).items():
        rows.append((f"delivered to {name}", sum(each.sent for each in accounts)))
        for what in ("queued", "dead", "dropped"):
            number = sum(getattr(each, what) for each in accounts)
            if number:
                rows.append((f"  {what}", number))
    rows += [(f"  lost: {reason}", number) for reason, number in found.lost]
    if found.counted(Tally.RESENT):
        rows.append(("sent again, may show twice", found.counted(Tally.RESENT)))
    if found.counted(Tally.UNKNOWN):
        rows.append(("gaps while disconnected", found.counted(Tally.UNKNOWN)))
    ratio = "nothing yet" if found.ratio is None else _percent(found.ratio)
    return [*((what, str(number)) for what, number in rows), ("delivered (without what still waits)", ratio)]


def _percent(ratio: float) -> str:
    """Shows 100 % only if nothing is missing."""
    return "100 %" if ratio == 1 else f"{min(ratio * 100, 99.99):.2f} %"


def _refusals(found: Ledger) -> dict[str, int]:
    reasons: dict[str, int] = {}
    for count, number in found.counts:
        if count.what is Tally.REFUSED:
            reasons[count.reason] = reasons.get(count.reason, 0) + number
    return reasons


def _by_network(found: Ledger) -> dict[str, list[Account]]:
    networks: dict[str, list[Account]] = {}
    for account in found.accounts:
        networks.setdefault(account.room.network, []).append(account)
    return networks


def _sum(found: Ledger, what: str) -> int:
    return sum(getattr(account, what) for account in found.accounts)
