"""Verbs for links to pictures and other files: revoke."""

import click

from bridge.admin.verbs.office import Answer, Office, done
from bridge.http.links import handle_in


@click.command("revoke")
@click.argument("what", metavar="WHAT")
@click.pass_obj
def revoke(office: Office, what: str) -> Answer:
    """Make links to the files of a message stop working, at once and for good.

    WHAT is the link itself, the Matrix id of the message ($...), or NETWORK/$ID.
    """
    handle, (network, _, event) = handle_in(what), what.partition("/$")
    if handle is not None:
        number = office.stored(lambda store: store.revoke(handle))
    elif what.startswith("$"):
        number = office.stored(lambda store: store.revoke_of(what))
    elif network and event:
        number = office.stored(lambda store: store.revoke_of(f"${event}", network))
    else:
        raise click.UsageError(f"{what!r} is no link, no id of a message ($...) and no NETWORK/$ID")
    if not number:
        raise click.ClickException(f"no link of {what} works: there was none, or it is revoked, or has expired")
    office.audit.record(office.by, "media revoke", what)
    return done(f"{number} file{'' if number == 1 else 's'}: no link works any more", files=number)
