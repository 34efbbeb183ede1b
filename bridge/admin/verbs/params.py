"""The parameters that verbs share: users, links, identities, durations. Shells complete users and links."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from bridge.admin.verbs.office import Office
from bridge.config import Config, ConfigError, load_settings, recall
from bridge.irc.settings import IrcSettings
from bridge.lib import durations
from bridge.model.outbox import State
from bridge.model.people import Identity, Proof
from bridge.store import StoreError
from bridge.users import Role, UsersError
from bridge.users import identities as parse

if TYPE_CHECKING:
    _Type = click.ParamType[Any]
else:
    _Type = click.ParamType  # generic only in the newest click

Command = TypeVar("Command", bound=Callable[..., object])
_SHOWN = 200
"""Most ids that a shell is given to choose from."""
SWITCH = click.Choice(["on", "off"])
ROLES = click.Choice([str(role) for role in Role])


class Completed(_Type):
    """A string that the shell completes with `choices`, from the config that the command line names."""

    def __init__(self, name: str, choices: Callable[[Config], Sequence[str]]) -> None:
        self.name = name
        self._choices = choices

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            found = self._choices(_settings(ctx.params.get("config") or Path("config.yaml")))
        except (ConfigError, UsersError, StoreError):
            return []
        return [CompletionItem(name) for name in found if name.startswith(incomplete)]


def _settings(path: Path) -> Config:
    """The settings, or those that the daemon had last. Raises ConfigError."""
    try:
        return load_settings(path)
    except ConfigError:
        if (last := recall(path)) is None:
            raise
        return last


class _Duration(_Type):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return value if isinstance(value, float) else durations.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _user_names(config: Config) -> Sequence[str]:
    from bridge.admin.databases import users_of

    return [user.name for user in users_of(config).list()]


def _waiting(*states: State) -> Callable[[Config], Sequence[str]]:
    """The ids of deliveries in one of these states."""

    def ids(config: Config) -> Sequence[str]:
        from bridge.store.peek import delivery_ids

        return delivery_ids(config.store.place, states, _SHOWN)

    return ids


def _irc_networks(config: Config) -> Sequence[str]:
    return [f"{name}/" for name, network in config.networks.items() if isinstance(network, IrcSettings)]


def _matrix_networks(config: Config) -> Sequence[str]:
    return [name for name, network in config.networks.items() if not isinstance(network, IrcSettings)]


USER = Completed("user", _user_names)
LINK = Completed("link", lambda config: [*config.links])
NETWORK = Completed("network", lambda config: [*config.networks])
MATRIX_NETWORK = Completed("network", _matrix_networks)
SENDER = Completed("sender", lambda config: [f"{name}/" for name in config.networks])
ACCOUNT = Completed("account", _irc_networks)
DELIVERY = Completed("id", _waiting(State.QUEUED, State.DEAD))
DEAD = Completed("id", _waiting(State.DEAD))
DURATION = _Duration()


def since_option(default: str) -> Callable[[Command], Command]:
    """Add the option --since to a command: how many seconds back to look."""
    text = f"How far back: 30m, 12h, 7d, 4w. Default: {default}."
    return click.option("--since", type=DURATION, metavar="TIME", default=default, help=text)


def identity_options(command: Command) -> Command:
    """Add the options --matrix, --irc and --irc-mask to `command`."""
    mask = "An IRC host mask; counts if the network's trust_hostmasks is true."
    for name, metavar, kind, text in (
        ("--irc-mask", "NETWORK/NICK!USER@HOST", ACCOUNT, mask),
        ("--irc", "NETWORK/ACCOUNT", ACCOUNT, "An IRC services account."),
        ("--matrix", "@NAME:SERVER", click.STRING, "A Matrix id."),
    ):
        command = click.option(name, multiple=True, type=kind, metavar=metavar, help=text)(command)
    return command


def parsed(matrix: Sequence[str], irc: Sequence[str], irc_mask: Sequence[str]) -> tuple[Identity, ...]:
    """The identities given by the options. Raises UsersError if one is not an identity."""
    return (*map(parse.matrix, matrix), *map(parse.irc, irc), *map(parse.irc_mask, irc_mask))


def on_networks(office: Office, identities: Sequence[Identity]) -> Sequence[Identity]:
    """`identities`, checked: UsageError if an IRC network does not exist, a warning for a mask that does not count."""
    known = {name: network for name, network in office.config.networks.items() if isinstance(network, IrcSettings)}
    for identity in identities:
        if identity.kind is Proof.MATRIX:
            continue
        if identity.network not in known:
            names = ", ".join(known) or "none"
            raise click.UsageError(f"{identity}: there is no IRC network {identity.network!r}; there are: {names}")
        if identity.kind is Proof.IRC_MASK and not known[identity.network].trust_hostmasks:
            office.warn(f"{identity} counts only once networks.{identity.network}.trust_hostmasks is true")
    return identities


def some(identities: Sequence[Identity]) -> Sequence[Identity]:
    if not identities:
        raise click.UsageError("no identity given: use --matrix, --irc or --irc-mask")
    return identities


def a_link(office: Office, name: str) -> str:
    """`name`, checked: raises UsageError if there is no such link."""
    if name not in office.config.links:
        raise click.UsageError(f"there is no link {name!r}; there are: {', '.join(office.config.links) or 'none'}")
    return name
