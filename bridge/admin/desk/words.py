"""Which private lines are commands to the desk, and what a mistyped one may have meant. Pure."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from bridge.admin.verbs import ALIASES, VERBS, Access
from bridge.rules.joining import REQUEST
from bridge.rules.talks import COMMAND
from bridge.users import Role, User

_OWN = ("help", "login", "logout", "whoami", "passwd", "puppet", "irc-login", COMMAND, "prove", REQUEST)
COMMANDS = frozenset({*_OWN, *(name.split()[0] for name in (*VERBS, *ALIASES))})
"""The first words of the desk's commands."""

ANSWERS = ("yes", "no")
"""What an admin says of a comparison of emoji. Commands only while one waits."""
_RELOAD = "I read the configuration again by myself when its file changes. At once: `quackbridge reload`."
_CHECK = " Whether a change has a mistake, the log says, too: `not_reloaded`."
ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        **{name: "" for name, verb in VERBS.items() if verb.access is Access.NOBODY},
        **dict.fromkeys(
            ("run", "setup", "add-link", "add-network", "doctor", "migrate-config", "move-store", "systemd-unit"), ""
        ),
        **dict.fromkeys(("config-schema", "irc-cert", "completion", "demo", "chat", "watch", "healthcheck"), ""),
        "registration": "",
        "check-config": _CHECK,
        "reload": _RELOAD,
    }
)
"""What works on the machine of the bridge only: each with what else an admin is told who asks for it here."""

_LONGEST = 24
"""Characters of the longest word that may be a mistyped command: comparing takes quadratic time."""
_ALIKE = 0.8
"""How similar two words must be (`difflib`, 0 to 1): one letter of five may be wrong, or two swapped."""


def is_command(line: str, user: User | None) -> bool:
    """Whether a line that `user` (None: a guest) says in private is a command to the desk, or means to be one.

    A first word that only resembles a command counts if it stands alone, has a hyphen, or is an admin's: in a sentence
    it belongs to the bots.
    """
    first, *rest = line.split(maxsplit=1) or [""]
    first = first.lstrip("!/").lower()
    if first in COMMANDS:
        return True
    is_admin = user is not None and user.role is Role.ADMIN
    alone = not rest or "-" in first
    if is_admin and first in ELSEWHERE:
        return alone
    return (alone or is_admin) and bool(meant(first, {*COMMANDS, *(ELSEWHERE if is_admin else ())}))


def elsewhere(name: str) -> str:
    """Says where an admin has to run what works on the machine of the bridge only."""
    also = ELSEWHERE[name]
    return also if also == _RELOAD else f"That works on the command line of my machine only: quackbridge {name}.{also}"


def meant(word: str, known: Collection[str]) -> str:
    """The one of `known` that `word` resembles most; '' if none does."""
    found = get_close_matches(word, known, 1, _ALIKE) if len(word) <= _LONGEST else []
    return found[0] if found else ""
