"""Verbs to mute, ban and lift: for moderators in their links, for admins everywhere."""

from datetime import UTC, datetime

import click

from bridge.admin.verbs.media import REVOKE, said_by, said_by_any, with_revoked
from bridge.admin.verbs.office import Answer, Office, done
from bridge.admin.verbs.params import DURATION, LINK, USER, a_link
from bridge.model.patterns import Pattern, is_pattern
from bridge.model.people import Sender
from bridge.users import Measure, Role, Sanction, User, UsersError
from bridge.users.sanctions import Sanctions, checked_target, in_force

_WHERE = click.option("--in", "link", type=LINK, metavar="LINK", help="In this link only; default: in all.")
_HOW_LONG = click.option(
    "--for", "lasts", type=DURATION, metavar="DURATION", help="30m, 12h or 7d; default: permanent."
)
_WHY = click.option("--reason", default="", metavar="TEXT", help="Told to them, and kept in the audit log.")
_REASON_LIMIT = 300


@click.command("mute-user")
@click.argument("target", type=USER)
@_WHERE
@_HOW_LONG
@_WHY
@click.pass_obj
def mute_user(office: Office, target: str, link: str | None, lasts: float | None, reason: str) -> Answer:
    """Stop carrying what TARGET says; the duck still answers.

    TARGET is a user's name, or a pattern of guests: @*:spam.example, libera/account, libera/*!*@*.spam.example
    """
    return _sanction(office, Measure.MUTE, target, link, lasts, reason)


@click.command("ban-user")
@click.argument("target", type=USER)
@_WHERE
@_HOW_LONG
@_WHY
@REVOKE
@click.pass_obj
def ban_user(
    office: Office, target: str, link: str | None, lasts: float | None, reason: str, *, revoke: bool
) -> Answer:
    """Neither carry nor answer TARGET.

    TARGET is a user's name, or a pattern of guests: @*:spam.example, libera/account, libera/*!*@*.spam.example
    """
    answer = _sanction(office, Measure.BAN, target, link, lasts, reason)
    if not revoke:
        return answer
    said = said_by_any(office, target) if is_pattern(target) else said_by(office.users.get(target))
    return with_revoked(office, answer, target, said, link)


@click.command("lift")
@click.argument("target", type=USER)
@_WHERE
@click.pass_obj
def lift(office: Office, target: str, link: str | None) -> Answer:
    """Lift the mute or ban of TARGET; with --in if it was set in one link."""
    _check_place(office, link)
    _check_admins_word(office, target, link)
    lifted = office.users.lift(target, link)
    return done(f"{target} is free to speak in {link or 'all links'} again", target=target, lifted=len(lifted))


@click.command("sanctions")
@click.pass_obj
def sanctions(office: Office) -> Answer:
    """List who is muted or banned, where, until when, why, and by whom."""
    found = [each for each in office.users.sanctions() if in_force(each, office.clock())]
    data = [
        {
            "target": each.target,
            "measure": str(each.measure),
            "link": each.link,
            "since": each.since,
            "until": each.until,
            "reason": each.reason,
            "by": each.by,
        }
        for each in found
    ]
    rows = [
        (each.target, str(each.measure), each.link or "all", _until(each.until), each.reason, each.by) for each in found
    ]
    return Answer(
        data, "nobody is muted or banned", ("who", "what", "where", "until", "why", "by") if rows else (), rows
    )


def _sanction(
    office: Office, measure: Measure, target: str, link: str | None, lasts: float | None, reason: str
) -> Answer:
    _check_place(office, link)
    _check_target(office, target)
    _check_admins_word(office, target, link)  # a shorter one would replace an admin's, and so lift it
    if len(reason) > _REASON_LIMIT or not reason.isprintable():
        raise click.UsageError(f"a reason is one line of at most {_REASON_LIMIT} visible characters")
    now = office.clock()
    until = None if lasts is None else now + lasts
    office.users.sanction(Sanction(target, measure, link, now, until, reason, office.by))
    what = {Measure.MUTE: "muted", Measure.BAN: "banned"}[measure]
    return done(f"{target} is {what} in {link or 'all links'} until {_until(until)}", target=target, until=until)


def _check_place(office: Office, link: str | None) -> None:
    if link is not None:
        a_link(office, link)
    if office.moderates is not None and link not in office.moderates:
        mine = ", ".join(f"--in {name}" for name in sorted(office.moderates))
        raise click.UsageError(f"you may do that only with {mine}")


def _check_target(office: Office, target: str) -> None:
    if is_pattern(target):
        _check_spares(office, target)
        return
    user = office.users.get(target)
    if _is_oneself(office, user):
        raise UsersError("that is you: you could not undo it yourself")
    if user.role is Role.ADMIN and office.role is not Role.ADMIN:
        raise UsersError(f"{user.name} is an admin")


def _check_spares(office: Office, target: str) -> None:
    """Refuse a pattern that fits an admin, or who asks: somebody must be able to undo it."""
    pattern = Pattern.parse(checked_target(target))
    for user in office.users.list():
        senders = (Sender(each.network, "", "", (each,), mask=each.value) for each in user.identities)
        spared = user.role is Role.ADMIN or _is_oneself(office, user)
        if spared and any(pattern.fits(sender) for sender in senders):
            who = "you" if _is_oneself(office, user) else f"the admin {user.name}"
            raise UsersError(f"{target} would fit {who} too")


def _is_oneself(office: Office, user: User) -> bool:
    """Whether `user` asks, in a chat: who is at the command line of the machine can undo anything."""
    return not office.at_terminal and user.name == office.by.partition(" ")[0]


def _check_admins_word(office: Office, target: str, link: str | None) -> None:
    """Only an admin may change what an admin has decided."""
    said = [each for each in Sanctions(office.users.sanctions()).about(target) if each.link == link]
    if office.moderates is not None and any(_by_an_admin(office, each) for each in said):
        raise UsersError("an admin did that: only an admin can change it")


def _by_an_admin(office: Office, sanction: Sanction) -> bool:
    """Whether an admin decided it; a removed user counts as one."""
    user = office.users.find(sanction.by.partition(" ")[0])
    return user is None or user.role is Role.ADMIN


def _until(until: float | None) -> str:
    return "further notice" if until is None else f"{datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M} UTC"
