"""The setup: asks, tries each answer at once, writes everything at the end, and carries the first message."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import click
import structlog

from bridge.config import load
from bridge.lib import exits
from bridge.setup import additions, files, irc, matrix, you
from bridge.setup.answers import Answers
from bridge.setup.console import Console, WrongAnswer, one_of
from bridge.setup.first_message import first_message
from bridge.setup.options import Options
from bridge.users import UsersError
from bridge.users.identities import new_name

_GUESTS = ("duck-only", "relay", "ignore")
_MEANING = (
    "duck-only  the duck answers them; what they say stays where they said it",
    "relay      what they say is carried, too, marked as a guest's",
    "ignore     they are neither carried nor answered",
)
_THERE = (
    "{path} exists already: nothing was changed. `quackbridge add-link` and `quackbridge add-network` add to a config;"
    " for another one, use -c with a file in an empty folder"
)


def set_up(console: Console, config: Path, options: Options, *, carry: bool) -> None:
    """Make a config at `config`, and all that it names. `carry`: run the bridge for a first message."""
    if console.interactive and config.exists():
        keep_quiet()
        _go_on(console, config)
        return
    if (path := files.in_the_way(config)) is not None:
        raise WrongAnswer(_THERE.format(path=path))
    if not console.interactive and (missing := [*options.missing()]):
        raise WrongAnswer(f"there is no terminal to ask on; missing: {', '.join(missing)}")
    keep_quiet()
    answers = _asked(console, options)
    if (path := files.in_the_way(config, tuple(answers.secrets))) is not None:
        raise WrongAnswer(_THERE.format(path=path))
    files.write(config, answers)
    console.title(f"Written: {config}, secrets/ and data/ beside it; check-config finds nothing wrong.")
    went_well = not carry or not console.interactive or first_message(console, config, answers)
    console.title("What to do next:" if went_well else "The configuration is written. What to do next:")
    for command, what in (
        (f"quackbridge run -c {config}", "run the bridge"),
        (f"quackbridge status -c {config}", "see whether all is well"),
        (f"quackbridge add-user NAME --matrix @NAME:HOST -c {config}", "add a friend"),
    ):
        console.say(f"  {command}   {what}")
    if not went_well:
        raise click.exceptions.Exit(exits.FAILED)


def _go_on(console: Console, config: Path) -> None:
    """Offer what there is to do with a config that is there."""
    console.title(f"There is a configuration already: {config}. It stays as it is, unless you add to it.")
    does: Mapping[str, Callable[[], None]] = {
        "network": lambda: additions.add_network(console, config, None, Options()),
        "link": lambda: additions.add_link(console, config, (), Options()),
        "check": lambda: _check(console, config),
        "quit": lambda: None,
    }

    def chosen(answer: str) -> Callable[[], None]:
        return does[one_of(answer, [*does])]

    question = f"Add a network, add a link, check, or quit ({', '.join(does)})"
    console.settled(None, lambda: console.ask(question, "quit"), chosen)()


def _check(console: Console, config: Path) -> None:
    load(config)
    console.say(f"  The configuration is right. Whether all works tells: quackbridge doctor -c {config}")


def _asked(console: Console, options: Options) -> Answers:
    account = matrix.account(console, options)
    on_matrix = matrix.room(console, options, account)
    network = irc.network(console, options)
    on_irc = irc.channel(console, options, network)
    identities = you.identities(console, options, (account, on_matrix), (network, on_irc))
    guests = options.guests
    if guests is None and console.interactive:
        console.title("Guests: people who are no users of the bridge.")
        for line in _MEANING:
            console.say(f"  {line}")
        if len(identities) == 1:
            console.say(f"  On {network.name} you are a guest yourself: your lines there are carried with relay only.")
        guests = console.settled(None, lambda: console.ask("What of them", "duck-only"), _guests)
    link = options.name or on_irc.channel.lstrip("#&+!").replace("/", "-").replace("@", "-") or "link"
    return Answers(link, on_matrix, on_irc, guests or "duck-only", _admin(identities[0].value), identities)


def _guests(answer: str) -> str:
    return one_of(answer, _GUESTS)


def _admin(user: str) -> str:
    """A name for the admin with that Matrix id; `admin` if the local part cannot be one."""
    try:
        return new_name(user[1:].partition(":")[0])
    except UsersError:
        return "admin"


def keep_quiet() -> None:
    """Log nothing. What the adapters log is for the daemon's operator; here each failure is told in a sentence."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger("nio").setLevel(logging.CRITICAL)
