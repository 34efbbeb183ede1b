"""Verbs for requests of guests to become members: list, approve, deny."""

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from bridge.admin.verbs.office import Answer, Office, done
from bridge.admin.verbs.params import USER, Completed, on_networks
from bridge.config import Config
from bridge.model.people import Proof, Sender
from bridge.users import MembershipRequest, UsersError
from bridge.users.requests import LASTS_S, Requests, open_ones

_DAY_S = 86_400.0


def _handles(config: Config) -> Sequence[str]:
    from bridge.admin.databases import users_of

    return [each.handle for each in users_of(config).requests() if each.decided is None]


_REQUEST = Completed("request", _handles)


@click.command("requests")
@click.pass_obj
def requests(office: Office) -> Answer:
    """List who asks to become a member, the oldest first, with the name by which to approve or deny them."""
    found = open_ones(office.users.requests(), office.clock())
    data = [
        {
            "name": each.handle,
            "kind": str(each.identity.kind),
            "network": each.identity.network or None,
            "value": each.identity.value,
            "asked_in": str(each.room),
            "since": each.since,
        }
        for each in found
    ]
    rows = [(each.handle, f"{each.identity.kind} {each.identity}", _reached(each), _when(each.since)) for each in found]
    return Answer(data, "nobody asks to become a member", ("name", "known by", "as", "since") if rows else (), rows)


@click.command("approve")
@click.argument("name", type=_REQUEST)
@click.option("--as", "username", metavar="USERNAME", help="The name of the new user; default: NAME.")
@click.option("--to", "user", type=USER, metavar="USER", help="Add the identity to this user instead of a new one.")
@click.pass_obj
def approve(office: Office, name: str, username: str | None, user: str | None) -> Answer:
    """Make NAME, who has asked, a member; `requests` lists the names. They are told.

    NAME may also be the identity itself, as `requests` shows it.
    """
    if username is not None and user is not None:
        raise click.UsageError("give --as for a new user, or --to for one who exists, not both")
    found = Requests(office.users.requests()).named(name, office.clock())
    on_networks(office, (found.identity,))
    _warn_of_sanction(office, found)
    if user is not None:
        office.users.approve_as(found.handle, user, office.clock())
        return done(f"{found.identity} is {office.users.get(user).name} now", user=office.users.get(user).name)
    named = username or found.handle
    if (other := office.users.find(named)) is not None:
        raise UsersError(
            f"there is a user {other.name!r} already: say --as USERNAME for a new user,"
            f" or --to {other.name} if {found.identity} is the same person"
        )
    office.users.approve(found.handle, named, office.clock())
    return done(f"added {named}, known as {found.identity}", user=named)


@click.command("deny")
@click.argument("name", type=_REQUEST)
@click.pass_obj
def deny(office: Office, name: str) -> Answer:
    """Decline the request of NAME, who may not ask again for 30 days; `requests` lists the names. They are told."""
    found = office.users.deny(name, office.clock())
    days = int(LASTS_S // _DAY_S)
    return done(f"denied {found.handle} ({found.identity}), who may ask again in {days} days", request=found.handle)


def _warn_of_sanction(office: Office, request: MembershipRequest) -> None:
    """Warn if a mute or ban by pattern goes on for the new member."""
    sender = Sender(request.room.network, request.room.id, "", (request.identity,), mask=request.identity.value)
    for link in (None, *office.config.links):
        if (found := office.users.sanctioned(sender, None, link, office.clock())) is not None:
            office.warn(f"{request.identity} is not carried yet: lift {found.target}")
            return


def _reached(request: MembershipRequest) -> str:
    """The nick under which they asked; Matrix ids are shown already."""
    return "" if request.identity.kind is Proof.MATRIX else request.room.id


def _when(time: float) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M} UTC"
