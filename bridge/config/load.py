"""Loads the settings from a file, or reports everything that is wrong with it."""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bridge.config import checks, secrets
from bridge.config import document as yaml
from bridge.config.document import SECRETS, Document
from bridge.config.document import Path as Place
from bridge.config.migrations import modernise
from bridge.config.problems import ConfigError, Problem
from bridge.config.settings import SECTIONS, Config, HttpSection, keys
from bridge.lib.hosts import is_loopback
from bridge.lib.settings import FOLDER
from bridge.matrix.settings import MatrixSettings

_Secrets = Callable[[Document, Path], Iterator[Problem]]

_MAPPING = "must be a mapping (key: value)"
_STRING = "must be a string: put it in quotes"
_BOOL = "must be true or false"
_LIST = "must be a list"
_TYPE = "its type must be matrix or irc"
_PLAIN: Mapping[str, str] = MappingProxyType(
    {
        "missing": "this key is missing",
        "string_type": _STRING,
        "path_type": _STRING,
        "bool_type": _BOOL,
        "bool_parsing": _BOOL,
        "dict_type": _MAPPING,
        "model_type": _MAPPING,
        "model_attributes_type": _MAPPING,
        "tuple_type": _LIST,
        "union_tag_not_found": _TYPE,
        "union_tag_invalid": _TYPE,
        "too_short": "must have at least one entry",
        "string_pattern_mismatch": "must be package.module:Class, or the name of an installed bot",
    }
)
"""Messages for pydantic's error types, in the words of YAML."""


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """The settings in `path` with every secret. Raises ConfigError."""
    return _load(path, environ, secrets.reveal)


def load_settings(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """The settings in `path` without the secrets, which may be missing, but with the address of the store. Raises
    ConfigError. For commands that do not log in."""
    return _load(path, environ, _no_secrets)


def check(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Like `load`, for a check outside the service: the credentials that systemd gives to the daemon alone cannot be
    looked at, which is a warning. Raises ConfigError."""
    if secrets.CREDENTIALS in environ:
        return load(path, environ)
    return _load(path, {**environ, secrets.CREDENTIALS: secrets.ELSEWHERE}, secrets.reveal_here)


def _no_secrets(document: Document, folder: Path) -> Iterator[Problem]:
    return secrets.reveal_store(document, folder)


def _load(path: Path, environ: Mapping[str, str], take_secrets: _Secrets) -> Config:
    content, mode = _read(path)
    document = yaml.parse(content, environ)
    if document.problems and not isinstance(document.value, dict):
        raise ConfigError(path, tuple(document.problems))
    old = [*modernise(document)]
    plain = secrets.without_secrets(document.value)
    found = [*checks.credentials(document), *checks.store(document), *take_secrets(document, path.parent)]
    config, invalid = _validate(document, path.parent)
    found += [*document.problems, *checks.names(document), *checks.links(document), *checks.placeholders(document)]
    known = {problem.where for problem in found}
    found += [problem for problem in invalid if problem.where not in known]
    if config is None or found:
        raise ConfigError(path, tuple(sorted(set(found), key=lambda problem: (problem.line, problem.column))))
    config._file = path
    config._places = {place: at for place, at in document.places.items() if place[0] in ("networks", "links")}
    config._plain = plain if isinstance(plain, dict) else {}
    unseen = secrets.unseen(document)
    config._warnings = tuple(each.text(path) for each in (*old, *unseen, *_warnings(document, config, path, mode)))
    return config


def _read(path: Path) -> tuple[bytes, int]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # does not wait on a pipe
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(21, "Is a directory")
            content = file.read(yaml.BYTES + 1) or b""
    except FileNotFoundError as error:
        message = f"there is no {path.name} here; `quackbridge setup` makes one, or name another with -c"
        raise ConfigError(path, (Problem(0, 0, "", message),)) from error
    except OSError as error:
        raise ConfigError(path, (Problem(0, 0, "", f"cannot be read: {error.strerror}"),)) from error
    if len(content) > yaml.BYTES:
        raise ConfigError(path, (Problem(0, 0, "", f"is larger than {yaml.BYTES} bytes: is this the right file?"),))
    return content, mode


def _validate(document: Document, folder: Path) -> tuple[Config | None, list[Problem]]:
    try:
        return Config.model_validate(document.value, context={FOLDER: folder.absolute()}), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        return None, [_problem(document, detail) for detail in details]


def _problem(document: Document, detail: ErrorDetails) -> Problem:
    place = detail["loc"]
    kinds = tuple(str(part) for part in place)
    if place[:1] == ("networks",) and len(place) > 2:
        kinds = (kinds[0], *kinds[2:])  # without the network's name; pydantic adds its type
        place = (*place[:2], *place[3:])
    elif place[:1] in {("links",), ("bots",)} and len(place) > 1:
        kinds = (kinds[0], "*", *kinds[2:])
    return document.problem(place, _message(detail, kinds))


def _message(detail: ErrorDetails, kinds: tuple[str, ...]) -> str:
    context = detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            if kinds[-1].partition(":")[0] in SECRETS:
                return "a space is missing after the colon"
            section = SECTIONS.get(".".join(kinds[:-1]))
            near = get_close_matches(kinds[-1], keys(section) if section else (), 1)
            return "there is no such key" + (f"; did you mean {near[0]}?" if near else "")
        case "value_error":
            return str(context["error"])
        case "enum" | "literal_error":
            return f"must be {context['expected']}"
        case kind if kind in _PLAIN:
            return _PLAIN[kind]
        case _:
            return "must be " + detail["msg"].lower().removeprefix("input should be").strip()


def _warnings(document: Document, config: Config, path: Path, mode: int) -> Iterator[Problem]:
    if not config.links:
        yield document.problem(("links",), "there is no link: nothing is carried, and no bot answers")
    for name, link in config.links.items():
        for number, pattern in enumerate(link.ignore):
            if pattern.network and pattern.network not in config.networks:
                message = f"{pattern} fits nobody: there is no network {pattern.network!r}"
                yield document.problem(("links", name, "ignore", number), message)
    if config.http is not None and (trouble := _of_public_url(config.http)):
        yield document.problem(("http", "public_url"), trouble)
    for name, network in config.networks.items():
        if isinstance(network, MatrixSettings) and (trouble := _of_service_url(network, config.http)):
            yield document.problem(("networks", name, "ghosts", "url"), trouble)
    said = dict(document.strings())
    for place in sorted(document.literal, key=document.place):
        if _tells_a_secret(place, said.get(place, "")) and mode & stat.S_IROTH:
            advice = f"chmod 600 {path}, or move it to a file of its own"
            yield document.problem(place, f"everybody on this machine can read this secret: {advice}")


def _tells_a_secret(place: Place, text: str) -> bool:
    """Whether `text` at `place` is a password or a token; of a proxy, only if a password is in its URL."""
    return place[-1:] in {("password",), ("access_token",)} or (place[-1:] == ("proxy",) and "@" in text)


def _of_service_url(network: MatrixSettings, http: HttpSection | None) -> str:
    """What will not work, or is not safe, with `ghosts.url`; '' if nothing is wrong with it as far as one can see."""
    url = urlsplit(network.ghosts.url or "")
    if url.hostname is None:
        return ""
    if http is None:
        return "nobody answers the homeserver there: set http.listen, too"
    if url.scheme == "http" and not is_loopback(url.hostname) and not network.allow_plaintext:
        return "plain http: anyone on the path can read what is said in private; use https://, or allow_plaintext: true"
    return ""


def _of_public_url(http: HttpSection) -> str:
    """What will not work with `http.public_url`; '' if nothing is wrong with it as far as one can see."""
    url = urlsplit(http.public_url or "")
    host, port = url.hostname, url.port or (443 if url.scheme == "https" else 80)
    if host is None:
        return ""
    if not is_loopback(host):
        return "plain http: anyone on the path can see the files; use https://" if url.scheme == "http" else ""
    if port == http.port and url.scheme == "https":
        return f"nothing speaks https:// there: `listen` is plain http on port {port}"
    if port != http.port and url.scheme == "http":
        return f"`listen` is port {http.port}: links to port {port} work only if a proxy on this machine listens there"
    return ""
