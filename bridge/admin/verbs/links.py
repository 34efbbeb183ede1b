"""Verbs that list the links, and explain what their rules mean for somebody without sending anything."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import click

from bridge.admin.verbs.office import Answer, Office
from bridge.admin.verbs.params import LINK, SENDER, a_link
from bridge.config import LinkSection, links_of
from bridge.irc.dialect.voices import identity_of
from bridge.irc.puppets import nicks
from bridge.irc.settings import IrcSettings
from bridge.matrix.dialect.face import Face
from bridge.matrix.dialect.ghost_ids import ghost_id
from bridge.matrix.settings import MatrixSettings
from bridge.model.attribution import mark, shown_as
from bridge.model.casemap import Casemapping
from bridge.model.event import BOTS, Event, Message, Room
from bridge.model.people import Identity, Proof, Sender
from bridge.model.presentation import Ghosts
from bridge.model.text import words
from bridge.rules.case import Told, Verdict
from bridge.rules.gate import Gate
from bridge.rules.link import Link, Rules
from bridge.users import User, UsersError
from bridge.users import identities as parse

_TOLD = {
    Told.NOTHING: "nothing",
    Told.HINT: "what the link tells its guests, once a day",
    Told.REASON: "the reason, once a day",
    Told.ADVICE: "to change their password",
}


_NICK = 30
"""Characters of a nick: only the server tells how many it takes."""
_CARRIES = (
    "edits_from_irc",
    "replies_from_irc",
    "reactions",
    "deletions",
    "membership",
    "topic",
    "typing",
    "receipts",
    "profiles",
    "puppets",
    "ghosts",
    "banned",
    "moderation",
    "colour_names",
    "guard_names",
    "preview",
)


@click.command("links")
@click.pass_obj
def links(office: Office) -> Answer:
    """List the links, their rooms and rules."""
    found = links_of(office.config)
    data = [
        {
            "name": link.name,
            "rooms": [str(room) for room in link.rooms],
            "guests": str(link.rules.guests),
            "members": _members(link.rules),
            "moderators": sorted(link.rules.moderators),
            "ignore": [str(pattern) for pattern in link.rules.ignore],
            "bots": [bot.key for bot in link.bots],
        }
        for link in found
    ]
    rows = [
        (
            link.name,
            "\n".join(map(str, link.rooms)),
            str(link.rules.guests),
            ", ".join(_members(link.rules)),
            ", ".join(sorted(link.rules.moderators)) or "admins only",
            ", ".join(bot.key for bot in link.bots) or "none",
        )
        for link in found
    ]
    columns = ("link", "rooms", "guests", "members", "moderators", "bots") if rows else ()
    return Answer(data, "there are no links", columns, rows)


@click.command("explain")
@click.option(
    "--as",
    "sender",
    type=SENDER,
    required=True,
    metavar="NETWORK/ID",
    help="home/@alice:hs, libera/account, libera/nick!user@host",
)
@click.option("--in", "link", type=LINK, required=True, metavar="LINK", help="Where they would speak.")
@click.option("--text", default="hello", show_default=True, help="What they would say.")
@click.pass_obj
def explain(office: Office, sender: str, link: str, text: str) -> Answer:
    """Show where a person's messages in a link would go, or why nowhere, and what the link carries besides. Nothing is
    sent.

    On IRC, `libera/alice` is the services account alice. A nick proves nothing: write somebody without an account with
    their mask, as in `libera/alice!user@host`.
    """
    a_link(office, link)
    known = {each.name: each for each in links_of(office.config)}
    speaker = _sender(office, sender)
    room = next((room for room in known[link].rooms if room.network == speaker.network), None)
    if room is None:
        raise click.UsageError(f"{link} has no room on {speaker.network}")
    gate = Gate(office.users, _Nobody(), known.values(), clock=office.clock)
    event = Event("explain", room, speaker, office.clock(), Message(words(text)))
    verdict = gate.decide(event)
    settings = _settings(office.config.links[link])
    ghosts = _ghosts(office, verdict, known[link])
    puppets = _puppets(office, verdict, known[link])
    told = [f"on {network} they speak as {user}, if the homeserver lets them" for network, user in ghosts.items()]
    told += [
        f"on {network} they speak as {nick}!~{user}, or by another nick if somebody has that one"
        for network, (nick, user) in puppets.items()
    ]
    lines = [
        *_lines(verdict, room, known[link]),
        *told,
        f"the link has {', '.join(f'{k}: {v}' for k, v in settings.items())}",
    ]
    data = {
        "sender": sender,
        "user": verdict.case.user.name if verdict.case.user else None,
        "member": verdict.case.is_member,
        "carried": verdict.refusal is None,
        "reason": verdict.refusal.reason if verdict.refusal else None,
        "heard_in": [str(each) for each in verdict.audience if each.network != BOTS],
        "answered_by": [each.id.partition("@")[0] for each in verdict.audience if each.network == BOTS],
        "shown_as": shown_as(verdict.case.event.sender),
        "ghosts": ghosts,
        "puppets": {network: {"nick": nick, "username": user} for network, (nick, user) in puppets.items()},
        "settings": settings,
    }
    return Answer(data, "\n".join(lines))


def _ghosts(office: Office, verdict: Verdict, link: Link) -> dict[str, str]:
    """By which account of their own the sender speaks on each Matrix network, by its name."""
    if verdict.refusal is not None or link.presentation.ghosts is Ghosts.OFF:
        return {}
    sender = verdict.case.event.sender
    if not isinstance(office.config.networks.get(sender.network), IrcSettings):
        return {}
    face, found = Face.of(replace(sender, casemapping=Casemapping.RFC1459)), {}  # which it is, only the server tells
    for room in verdict.audience:
        settings = office.config.networks.get(room.network)
        if isinstance(settings, MatrixSettings) and face is not None:
            with suppress(ValueError):
                number = 1 if face.owner else 0
                found[room.network] = ghost_id(face.network, face.name, number, settings.server_name)
    return found


def _puppets(office: Office, verdict: Verdict, link: Link) -> dict[str, tuple[str, str]]:
    """The nick and the user name of their own by which the sender speaks on each IRC network, by its name."""
    user, found = verdict.case.user, {}
    if verdict.refusal is not None or not link.presentation.puppets or user is None or not user.puppet:
        return {}
    identity = identity_of(verdict.case.event.sender)
    for room in verdict.audience:
        settings = office.config.networks.get(room.network)
        if isinstance(settings, IrcSettings) and verdict.case.is_member:
            nick = next(nicks.candidates(settings.puppets.nick, user.name, identity, _NICK))
            found[room.network] = (nick, nicks.username(identity))
    return found


class _Nobody:
    """No logins: only the daemon knows who has logged in by password."""

    def user(self, sender: Sender) -> User | None:
        return None


def _lines(verdict: Verdict, room: Room, link: Link) -> list[str]:
    user = verdict.case.user
    who = f"the {user.role} {user.name}" if user else "a guest: no user has this identity"
    lines = [f"in {room} this is {who}"]
    if user and not verdict.case.is_member:
        lines.append(f"not a member of {link.name}: a guest there")
    rooms = [str(each) for each in verdict.audience if each.network != BOTS]
    bots = [each.id.partition("@")[0] for each in verdict.audience if each.network == BOTS]
    if verdict.refusal is None:
        lines.append(
            f"carried to {', '.join(rooms) or 'no room, the link has no other'}, as {mark(verdict.case.event).strip()}"
        )
    else:
        lines.append(f"refused: {verdict.refusal.reason}")
        lines.append(f"they are told {_TOLD[verdict.refusal.told]}")
    lines.append(f"bots that hear this: {', '.join(bots) or 'none'}")
    return lines


def _settings(link: LinkSection) -> Mapping[str, str]:
    """What the link carries besides messages and how it shows them, by the keys in the config."""
    values = ((key, getattr(link, key)) for key in _CARRIES)
    return {key: {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value) for key, value in values}


def _sender(office: Office, text: str) -> Sender:
    network, _, rest = text.partition("/")
    configured = office.config.networks.get(network)
    if configured is None or not rest:
        there = ", ".join(office.config.networks)
        raise click.UsageError(f"{text!r} is not NETWORK/ID; the networks are: {there}")
    if not isinstance(configured, IrcSettings):
        return Sender(network, rest, rest, (parse.matrix(rest),))
    if "!" in rest or "@" in rest:
        proof = Identity(Proof.IRC_MASK, network, rest)
        nick = rest.partition("!")[0]
        if not all(rest.partition("!")) or "@" not in rest:
            raise UsersError(f"{rest!r} is not NICK!USER@HOST")
        return Sender(network, nick, nick, (proof,) if configured.trust_hostmasks else (), mask=rest)
    return Sender(network, rest, rest, (parse.irc(text),))


def _members(rules: Rules) -> list[str]:
    return ["all users"] if rules.members is None else sorted(rules.members)
