"""Makes the core's links of the configured ones."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from bridge.config.settings import Config, Hears, LinkSection
from bridge.irc.settings import IrcSettings
from bridge.lib.hosts import is_loopback
from bridge.model.presentation import Presentation, Puppets, Reactions, Topics
from bridge.rules import link as rules
from bridge.rules.budget import Allowance
from bridge.rules.joining import Door
from bridge.rules.link import LinkedBot, Rules
from bridge.users.identities import same_name

_T = TypeVar("_T")


def links_of(config: Config) -> Sequence[rules.Link]:
    """The links with their rooms, rules and bots. Of a thousand links, most have the same rules: one object for all."""
    ruled: dict[Rules, Rules] = {}
    presented: dict[Presentation, Presentation] = {}
    bots = {
        key: LinkedBot(key, (key, bot.name), bot.answers, hears_all=bot.hears is Hears.ALL)
        for key, bot in config.bots.items()
    }
    on_irc = frozenset(name for name, network in config.networks.items() if isinstance(network, IrcSettings))
    return [
        rules.Link(
            name,
            link.rooms,
            _one(ruled, _rules(link, config)),
            tuple(bots[key] for key in link.bots),
            link.welcome.member,
            link.welcome.guest,
            shows_the_way="guest" not in link.welcome.model_fields_set,
            presentation=_one(presented, _presentation(link)),
            by_hand=tuple(room for room in link.rooms if room.network in on_irc),
            topics_to=tuple(room for room in link.rooms if _takes_topics(link.topic, on_irc=room.network in on_irc)),
        )
        for name, link in config.links.items()
    ]


def doors_of(config: Config) -> Mapping[str, Door]:
    """What each IRC network offers to people who want to prove who they are, as far as the config tells."""
    private = private_networks(config)
    return {
        name: Door(services=network.sasl is not None, masks=network.trust_hostmasks, passwords=name in private)
        for name, network in config.networks.items()
        if isinstance(network, IrcSettings)
    }


def editable_networks(config: Config) -> frozenset[str]:
    """The networks where an edit replaces a message: on IRC, it is another line."""
    return frozenset(name for name, network in config.networks.items() if not isinstance(network, IrcSettings))


def private_networks(config: Config) -> frozenset[str]:
    """The networks reached over TLS or loopback: a password may be said there."""
    return frozenset(name for name, network in config.networks.items() if network.tls or is_loopback(network.host))


def _one(known: dict[_T, _T], value: _T) -> _T:
    """The one of `known` that is equal to `value`, else `value`, known from now on."""
    return known.setdefault(value, value)


def _rules(link: LinkSection, config: Config) -> Rules:
    budget = link.guest_budget
    is_served = config.http is not None and config.http.public_url is not None
    return Rules(
        guests=link.guests,
        members=None if link.members is None else frozenset(map(same_name, link.members)),
        moderators=frozenset(map(same_name, link.moderators)),
        ignore=link.ignore,
        per_guest=Allowance(budget.per_guest, budget.per_guest),
        per_link=Allowance(budget.per_link, budget.per_link),
        member_lines=link.max_lines.members,
        guest_lines=link.max_lines.guests,
        reactions=link.reactions is not Reactions.OFF,
        edits_from_irc=link.edits_from_irc,
        replies_from_irc=link.replies_from_irc,
        memberships=link.membership,
        typing=link.typing,
        receipts=link.receipts,
        files_last=link.media.links if is_served else 0.0,
        largest_file=config.media.max_size,
        guest_links=Allowance(budget.links, budget.links),
        preview=link.preview,
        ghosts=link.ghosts,
        moderation=link.moderation,
    )


def _presentation(link: LinkSection) -> Presentation:
    return Presentation(
        quotation=link.quotation,
        reactions=link.reactions,
        deletions=link.deletions,
        guard_names=link.guard_names,
        colour_names=link.colour_names,
        profiles=link.profiles,
        puppets=link.puppets is Puppets.MEMBERS,
        ghosts=link.ghosts,
        banned=link.banned,
    )


def _takes_topics(topic: Topics, *, on_irc: bool) -> bool:
    return topic is Topics.BOTH or topic is (Topics.TO_IRC if on_irc else Topics.TO_MATRIX)
