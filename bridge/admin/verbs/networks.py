"""Renaming a network: everything that is kept under its name goes with it."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from bridge.admin.verbs.office import Answer, Office, done
from bridge.admin.verbs.params import NETWORK
from bridge.irc.settings import IrcSettings
from bridge.model.event import BOTS
from bridge.model.identifiers import one_word
from bridge.store import Unusable


@click.command("rename-network")
@click.argument("old")
@click.argument("new", type=NETWORK)
@click.pass_obj
def rename_network(office: Office, old: str, new: str) -> Answer:
    """Move all that is kept of the network OLD to the name NEW: what waits, its position, and its users' identities.

    Rename it in the config too. The daemon must be stopped. If anything fails, nothing is changed; after a power cut,
    run it again.
    """
    _check(office, old, new)
    with _in_store(office, old, new) as (found, waiting):
        identities = office.users.rename_network(old, new)  # written here; the store follows at the end of the context
        if not found and not identities:
            raise Unusable(f"nothing is kept of a network {old!r}: neither in the store nor among the users")
    if not identities:
        office.audit.record(office.by, "rename-network", f"{old} to {new}, in the store only")
    words = f"{old} is {new} now: {waiting} waiting messages, {identities} identities, mutes and bans"
    return done(words, waiting=waiting, identities=identities)


@contextmanager
def _in_store(office: Office, old: str, new: str) -> Iterator[tuple[bool, int]]:
    """Rename it in the store, if there is one; committed at the end of the context. Yields whether the store knew it,
    and how many deliveries wait."""
    from bridge.store.rename import renaming  # few verbs need it

    store = office.config.store
    if not store.is_there:
        yield False, 0
        return
    with renaming(store.place, store.path.parent, old, new) as moved:
        yield moved.found, moved.waiting


def _check(office: Office, old: str, new: str) -> None:
    if old == new:
        raise click.UsageError("OLD and NEW are the same name")
    if BOTS in (old, new):
        raise click.UsageError(f"{BOTS!r} is the network of the bots' ears: it has no other name")
    if "/" in new or "@" in new:
        raise click.UsageError(f"{new!r}: a network's name cannot contain / or @")
    try:
        one_word(new)
    except ValueError as error:
        raise click.UsageError(f"a network's name {error}") from error
    known = office.config.networks
    if new in known and not isinstance(known[new], IrcSettings) and _has_identities(office, old):
        raise click.UsageError(f"{new!r} is a Matrix network in the config, and users have IRC identities on {old!r}")
    if old in known:
        office.warn(f"the config has a network {old!r} still: rename it there too, before the daemon starts")
    elif new not in known:
        office.warn(f"the config has no network {new!r}; its networks are: {', '.join(known)}")


def _has_identities(office: Office, network: str) -> bool:
    return any(one.network == network for user in office.users.list() for one in user.identities)
