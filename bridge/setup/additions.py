"""Adds a network or a link to a config that is there: asks, tries each answer, shows the change, and writes it."""

import difflib
import os
import secrets
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bridge.config import Config, ConfigError, load
from bridge.config.editing import Value, with_entry
from bridge.irc.settings import IrcSettings
from bridge.lib.files import keep_copy, make_folders, replace_file, write_new
from bridge.lib.unhindered import run
from bridge.matrix.settings import MatrixSettings
from bridge.model import identifiers
from bridge.setup import irc, matrix
from bridge.setup.console import Console, WrongAnswer
from bridge.setup.options import Options

_KINDS = ("matrix", "irc")
_RUNS = "A running bridge reads the changed file by itself, within seconds; `quackbridge reload` says what came of it."
_NICK = 9
"""Characters of our nick that are kept for a trial beside the running bridge: servers cut long ones."""


def add_network(console: Console, config: Path, kind: str | None, options: Options) -> None:
    """Add an account on another network."""
    settings = load(config)
    if not console.interactive and (missing := [*_missing(kind, options)]):
        raise WrongAnswer(f"there is no terminal to ask on; missing: {', '.join(missing)}")
    kind = console.settled(kind, lambda: console.ask("Kind of network: matrix, irc", "irc"), _kind)
    if kind == "matrix":
        account = matrix.account(console, options)
        name = _free(console, options.name, account.name, settings.networks, "network")
        entry: dict[str, Value] = {"type": "matrix", "homeserver": account.homeserver, "user": account.user}
        secret = account.password or ""
        entry["password_file"] = f"secrets/{name}"
    else:
        found = irc.network(console, options)
        name = _free(console, options.name, found.name, settings.networks, "network")
        entry, secret = _of_irc(found, name)
    text = with_entry(_text(config), "networks", name, entry)
    _change(console, config, text, {name: secret} if secret else {})
    console.say(f"{name} is in {config}. Link a room of it: quackbridge add-link -c {config}")
    console.say(_RUNS)


def add_link(console: Console, config: Path, rooms: Sequence[str], options: Options) -> None:
    """Add a conversation: one room of each network that is chosen."""
    settings = load(config)
    if not console.interactive and not rooms:
        raise WrongAnswer("there is no terminal to ask on; missing: --room NETWORK/ROOM")
    tried = [_tried(console, settings, each) for each in rooms] if rooms else _ask_for_rooms(console, settings)
    if any("/#" in each and isinstance(settings.networks[each.partition("/")[0]], IrcSettings) for each in tried):
        irc.agreed(console)
    made = tried[-1].partition("/")[2].lstrip("#&+!").partition(":")[0].replace("/", "-").replace("@", "-")
    name = _free(console, options.name, made or "link", settings.links, "link")
    guests = options.guests or "duck-only"
    entry: dict[str, Value] = {"rooms": tried, "guests": guests}
    if settings.bots:
        entry["bots"] = [next(iter(settings.bots))]
    _change(console, config, with_entry(_text(config), "links", name, entry), {})
    console.say(f"{name} links {' and '.join(tried)}.")
    console.say(_RUNS)


def _missing(kind: str | None, options: Options) -> Sequence[str]:
    if kind is None:
        return ["KIND (matrix or irc)"]
    needed = ("matrix_user", "matrix_password_file") if kind == "matrix" else ("irc", "nick")
    missing = [f"--{name.replace('_', '-')}" for name in needed if getattr(options, name) is None]
    if options.irc_account is not None and options.irc_password_file is None:
        missing.append("--irc-password-file")
    return missing if options.yes else [*missing, "--yes (the file may be changed)"]


def _kind(answer: str) -> str:
    if answer not in _KINDS:
        raise ValueError(f"{answer!r} is none of {', '.join(_KINDS)}")
    return answer


def _of_irc(found: IrcSettings, name: str) -> tuple[dict[str, Value], str]:
    """The entry of an IRC network, and the secret for its file; '' for none."""
    entry: dict[str, Value] = {"type": "irc", "server": found.server[0]}
    if not found.tls:
        entry["tls"] = False
    if found.tls_fingerprints:
        entry["tls_fingerprints"] = [*found.tls_fingerprints]
    entry["nick"] = found.nick
    if found.sasl is None:
        return entry, ""
    entry["sasl"] = {"account": found.sasl.account, "password_file": f"secrets/{name}"}
    return entry, found.sasl.password or ""


def _free(console: Console, given: str | None, made: str, taken: Mapping[str, object], what: str) -> str:
    """A name for the new entry that no other has."""
    suggested = made if made not in taken else next(f"{made}{n}" for n in range(2, 1000) if f"{made}{n}" not in taken)

    def attempt(answer: str) -> str:
        if answer in taken:
            raise ValueError(f"there is a {what} {answer!r} already: choose another name")
        if "/" in answer or "@" in answer:
            raise ValueError(f"{answer!r}: a name cannot contain / or @")
        return identifiers.one_word(answer)

    if given is None and not console.interactive:
        given = suggested
    return console.settled(given, lambda: console.ask(f"Name of the {what} in the config", suggested), attempt)


def _ask_for_rooms(console: Console, settings: Config) -> list[str]:
    console.title("The rooms that are to be one conversation. Leave a network out with an empty answer.")
    chosen = [room for name in settings.networks if (room := _asked_room(console, settings, name))]
    if not chosen:
        raise WrongAnswer("no room was named: nothing was changed")
    return chosen


def _asked_room(console: Console, settings: Config, network: str) -> str:
    """A room of `network` as network/room, tried; '' for none."""
    is_matrix = isinstance(settings.networks[network], MatrixSettings)
    question = f"Room on {network} ({'#pond:example.org' if is_matrix else '#pond'})"

    def attempt(answer: str) -> str:
        name = answer.removeprefix(f"{network}/")
        return _trial(console, settings)(f"{network}/{name}") if name else ""

    return console.settled(None, lambda: console.ask(question, ""), attempt)


def _tried(console: Console, settings: Config, room: str) -> str:
    """`room` as network/room, once we have joined it, or could."""
    return console.settled(room, lambda: console.ask("The right room, as NETWORK/ROOM"), _trial(console, settings))


def _trial(console: Console, settings: Config) -> Callable[[str], str]:
    """What tries a room, named network/room: joins it, or finds out that one could."""

    def attempt(answer: str) -> str:
        network, slash, name = answer.partition("/")
        found = settings.networks.get(network)
        if not slash or found is None:
            known = ", ".join(settings.networks)
            raise ValueError(f"{answer!r} is no room of a network here; write NETWORK/ROOM (networks: {known})")
        taken = next((key for key, link in settings.links.items() if answer in map(str, link.rooms)), None)
        if taken is not None:
            raise ValueError(f"{answer} is in the link {taken!r} already")
        if isinstance(found, MatrixSettings):
            run(matrix.join(console, found, identifiers.matrix_room(name)))
        else:
            nick = f"{found.nick[:_NICK]}{secrets.token_hex(2)}"  # ours may be in use by the running bridge
            other = found.model_copy(update={"nick": nick, "nickserv": None, "pre_join": ()})
            irc.peopled(console, name, run(irc.join(console, other, identifiers.irc_channel(name))))
        return answer

    return attempt


def _text(config: Path) -> str:
    return config.read_text(encoding="utf-8-sig")


def _change(console: Console, config: Path, text: str, secret: Mapping[str, str]) -> None:
    """Show the change, ask, and make it: the secret first, then the config, whose former content is kept beside it."""
    before = _text(config)
    for name in secret:
        if os.path.lexists(config.parent / "secrets" / name):
            raise WrongAnswer(f"{config.parent / 'secrets' / name} exists already: move it away, or use another --name")
    console.title(f"The change of {config}:")
    for line in difflib.unified_diff(before.splitlines(), text.splitlines(), str(config), "new", lineterm="", n=2):
        console.say(line)
    if not console.agreed("Write it?"):
        raise WrongAnswer("nothing was changed")
    _check(config, text, secret)
    for name, content in secret.items():
        make_folders(config.parent / "secrets")
        write_new(config.parent / "secrets" / name, f"{content}\n".encode())
    copy = keep_copy(config)
    replace_file(config, text.encode())
    console.say(f"Written; the file before is {copy}.")


def _check(config: Path, text: str, secret: Mapping[str, str]) -> None:
    """Load the new text as the daemon would, beside the present one. Raises WrongAnswer with every problem."""
    with tempfile.TemporaryDirectory(prefix=".quackbridge-", dir=config.parent) as name:
        staging = Path(name)
        for each in config.parent.iterdir():
            if each != staging and each.name not in ("secrets", config.name):
                (staging / each.name).symlink_to(each.absolute())
        (staging / "secrets").mkdir(mode=0o700)
        there = config.parent / "secrets"
        for each in there.iterdir() if there.exists() else ():
            (staging / "secrets" / each.name).symlink_to(each.absolute())
        for key, content in secret.items():
            write_new(staging / "secrets" / key, f"{content}\n".encode())
        write_new(staging / config.name, text.encode())
        try:
            load(staging / config.name)
        except ConfigError as error:
            problems = "; ".join(problem.text(config) for problem in error.problems)
            raise WrongAnswer(f"nothing was changed, as the config would not load: {problems}") from None
