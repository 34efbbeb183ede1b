"""Secrets of the configuration: finding them, and reading them from files that nobody else can read."""

from collections.abc import Iterator
from pathlib import Path

from bridge.config.document import SECRETS, Document
from bridge.config.document import Path as Place
from bridge.config.problems import Problem
from bridge.lib import secret_files
from bridge.lib.settings import file_path

_FILE = "_file"
CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""The variable with the folder of the secrets that systemd gives to a service (systemd.exec(5), "CREDENTIALS")."""
ELSEWHERE = "/run/credentials/outside-the-service"
"""Stands for that folder where we are not the service."""
_OF_LINES = ("key", "key_file")
"""Secrets of several lines (PEM)."""
COMMANDS = "pre_join"
"""Commands of an IRC network, which may hold a password."""
_BLANKED = (*SECRETS, COMMANDS)


def is_secret(place: Place) -> bool:
    return bool(place) and place[-1] in SECRETS


def reveal_store(document: Document, folder: Path) -> Iterator[Problem]:
    """Read the address of the store, if it is known; remove every other secret, and every problem with one. Yields what
    is wrong."""
    removed = [(at, section) for at, section in _places(document) if at[0] != "store" or not section[str(at[-1])]]
    where = {document.problem(place, "").where for place, _section in removed}
    for place, section in removed:
        del section[str(place[-1])]
    yield from reveal(document, folder)
    document.problems = [problem for problem in document.problems if problem.where not in where]


def without_secrets(value: object) -> object:
    """A copy of a config's plain value in which each secret that stands in the file itself is empty."""
    if isinstance(value, list):
        return [without_secrets(each) for each in value]
    if not isinstance(value, dict):
        return value
    return dict(_blanked(value))


def _blanked(section: dict[str, object]) -> Iterator[tuple[str, object]]:
    for key, value in section.items():
        is_text = isinstance(value, str) and not key.endswith("_file")
        blank = "" if is_text else []
        yield key, blank if key in _BLANKED and (is_text or key == COMMANDS) else without_secrets(value)


def reveal(document: Document, folder: Path) -> Iterator[Problem]:
    """Read the files named by the `*_file` keys into the keys without that ending. Yields what is wrong."""
    for place, section in _places(document):
        key, value = str(place[-1]), section[str(place[-1])]
        if not isinstance(value, str):
            continue  # the model reports it
        try:
            if key.endswith(_FILE):
                read = secret_files.read_lines if key in _OF_LINES else secret_files.read
                section.setdefault(key.removesuffix(_FILE), read(file_path(Path(value), folder)))
            elif key not in _OF_LINES:
                secret_files.check(value)
        except ValueError as error:
            yield document.problem(place, str(error))


def reveal_here(document: Document, folder: Path) -> Iterator[Problem]:
    """Like `reveal`, without the credentials of the service, which nobody else can read."""
    held = {}
    for place, section in _places(document):
        if _is_elsewhere(section[str(place[-1])]):
            held[place] = section.pop(str(place[-1]))
    yield from reveal(document, folder)
    document.unseen.update(held)


def unseen(document: Document) -> Iterator[Problem]:
    """A warning for each secret that only the service can read."""
    for place in document.unseen:
        yield document.problem(place, f"not checked: only the service has ${{{CREDENTIALS}}}")


def _is_elsewhere(value: object) -> bool:
    return isinstance(value, str) and value.startswith(f"{ELSEWHERE}/")


def _places(document: Document) -> list[tuple[Place, dict[str, object]]]:
    """Every secret key that is present: its place, and the mapping that holds it."""
    networks = document.value.get("networks") if isinstance(document.value, dict) else None
    sections: list[tuple[Place, object]] = []
    for name, network in (networks if isinstance(networks, dict) else {}).items():
        sections.append((("networks", name), network))
        if isinstance(network, dict):
            sections += [(("networks", name, kind), network.get(kind)) for kind in ("sasl", "nickserv")]
            puppets = network.get("puppets")
            if isinstance(puppets, dict):
                sections.append((("networks", name, "puppets", "webirc"), puppets.get("webirc")))
            keys = network.get("channel_keys")
            for channel, key in (keys if isinstance(keys, dict) else {}).items():
                sections.append((("networks", name, "channel_keys", channel), key))
    if isinstance(document.value, dict):
        sections.append((("store",), document.value.get("store")))
    return [
        ((*place, key), section)
        for place, section in sections
        if isinstance(section, dict)
        for key in SECRETS
        if section.get(key) is not None
    ]
