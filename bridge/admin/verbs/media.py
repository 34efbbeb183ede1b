"""Revokes links to files and whole texts: of one message (`media revoke`), or all of one person, for other verbs."""

from collections.abc import Callable, Mapping

import click

from bridge.admin.verbs.office import Answer, Office, done
from bridge.http.links import TEXT, handle_in
from bridge.model.outbox import Revoked
from bridge.model.patterns import Pattern
from bridge.model.people import Role, Sender
from bridge.store import StoreError
from bridge.users import User
from bridge.users.identities import same_name
from bridge.users.index import Index

REVOKE = click.option(
    "--revoke-media", "revoke", is_flag=True, help="Also revoke the links to all files and long texts that they sent."
)


@click.command("revoke")
@click.argument("what", metavar="WHAT")
@click.pass_obj
def revoke(office: Office, what: str) -> Answer:
    """Revoke the links to the files and the whole text of a message, at once and for good.

    WHAT is a link, or the Matrix id of the message: $ID, or NETWORK/$ID. In a shell, put ids in single quotes.
    """
    handle, (network, _, event) = handle_in(what), what.partition("/$")
    if handle is not None:
        number = office.stored(lambda store: store.revoke(handle))
        revoked = Revoked(texts=number) if what[: what.rfind("/") + 1].endswith(TEXT) else Revoked(number)
    elif what.startswith("$"):
        revoked = office.stored(lambda store: store.revoke_of(what))
    elif network and event:
        _check_network(office, network)
        revoked = office.stored(lambda store: store.revoke_of(f"${event}", network))
    else:
        raise click.UsageError(f"{what!r} is neither a link nor the id of a message ($ID, or NETWORK/$ID)")
    if not any(revoked):
        raise click.ClickException(
            f"{what} has no working link: it never had one, or the link was revoked, or has expired, or the message"
            " was deleted"
        )
    office.audit.record(office.by, "media revoke", what)
    return done(f"the links to {_counted(revoked)} no longer work", **revoked._asdict())


def _check_network(office: Office, name: str) -> None:
    """Raises UsageError if the configuration has no such network."""
    if name not in office.config.networks:
        raise click.UsageError(f"there is no network {name!r}; there is {', '.join(office.config.networks)}")


def said_by(user: User) -> Callable[[Sender], bool]:
    """Whether somebody was `user` when they spoke, or is by an identity that `user` has now."""
    name, index = same_name(user.name), Index([user])

    def said(sender: Sender) -> bool:
        return (sender.user is not None and same_name(sender.user) == name) or index.identify(sender) is not None

    return said


def said_by_any(office: Office, pattern: str) -> Callable[[Sender], bool]:
    """Whether `pattern` fits somebody who is no admin: a ban spares those, too."""
    fits = Pattern.parse(pattern).fits
    admins = {same_name(user.name) for user in office.users.list() if user.role is Role.ADMIN}
    return lambda sender: fits(sender) and (sender.user is None or same_name(sender.user) not in admins)


def with_revoked(
    office: Office, answer: Answer, whose: str, said: Callable[[Sender], bool], link: str | None = None
) -> Answer:
    """`answer`, the answer of a verb that has done its own part, once the links to what `whose` sent are revoked: in
    the rooms of `link`, or everywhere. Raises ClickException if the store cannot be changed."""
    rooms = None if link is None else office.config.links[link].rooms
    revoked = Revoked()
    if office.config.store.is_there:  # else the daemon has never run
        try:
            revoked = office.stored(lambda store: store.revoke_said(said, rooms))
        except StoreError as error:
            raise click.ClickException(
                f"{answer.words}; but the links to what they sent still work: {error}"
            ) from error
    if not any(revoked):
        told = "they sent nothing that has a working link"
    else:
        told = f"the links to {_counted(revoked)} of theirs no longer work"
        office.audit.record(
            office.by, "media revoke", f"of {whose}{f' in {link}' if link else ''}: {_counted(revoked)}"
        )
    assert isinstance(answer.data, Mapping)
    data = {name: value for name, value in answer.data.items() if name != "done"}
    return done(f"{answer.words}; {told}", **data, **revoked._asdict())


def _counted(revoked: Revoked) -> str:
    """`2 files`, `1 text`, or `2 files and 1 text`."""
    counts = ((revoked.files, "file"), (revoked.texts, "text"))
    return " and ".join(f"{number:,} {what}{'' if number == 1 else 's'}" for number, what in counts if number)
