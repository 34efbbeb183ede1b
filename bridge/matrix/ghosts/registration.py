"""The registration of the application service: what the homeserver's admin adds once, and the tokens by which it and we
know each other (https://spec.matrix.org/latest/application-service-api/#registration)."""

import json
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import yaml

from bridge.lib import secret_files
from bridge.lib.files import make_folders, write_new
from bridge.matrix.dialect.ghost_ids import PREFIX


@dataclass(frozen=True, slots=True)
class Tokens:
    """`ours` is what we say, `theirs` what the homeserver says where it sends us anything."""

    ours: str = field(repr=False)
    theirs: str = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The tokens in the file `path`; None if there is none. Raises ValueError if it cannot be used."""
        if not path.exists():
            return None
        text = secret_files.read_lines(path)
        try:
            fields = json.loads(text)
            found = cls(fields["as_token"], fields["hs_token"])
        except (ValueError, KeyError, TypeError):
            found = None
        if found is None or not all(isinstance(each, str) and each for each in (found.ours, found.theirs)):
            raise ValueError(f"{path} has no tokens of a registration in it: move it away, and make another")
        return found

    @classmethod
    def kept(cls, path: Path) -> Self:
        """The tokens in the file `path`, which is made if it is not there: for its owner alone. Raises ValueError and
        OSError."""
        found = cls.read(path)
        if found is not None:
            return found
        made = cls(secrets.token_urlsafe(48), secrets.token_urlsafe(48))
        make_folders(path.parent)
        try:
            write_new(path, json.dumps({"as_token": made.ours, "hs_token": made.theirs}).encode() + b"\n")
        except FileExistsError:  # made by another command at the same moment
            return cls.read(path) or made
        return made


def token_file(configured: Path | None, network: str, folder: Path) -> Path:
    """The file with the tokens of `network`: the one that is `configured`, else one in `folder`, beside the store."""
    return configured or folder / f"ghosts-{network}.json"


def service_id(network: str) -> str:
    """What the homeserver calls our application service."""
    return f"quackbridge-{network}"


def registration(tokens: Tokens, network: str, server: str, url: str | None = None) -> str:
    """The registration in YAML, for the homeserver `server`. `url`: where it reaches us; None: it sends us nothing."""
    users = [{"exclusive": True, "regex": f"@{PREFIX}.*:{re.escape(server)}"}]
    fields = {
        "id": service_id(network),
        "url": url,
        "as_token": tokens.ours,
        "hs_token": tokens.theirs,
        "sender_localpart": f"{PREFIX}quackbridge",  # no ghost: their ids have a second _
        "rate_limited": False,
        "namespaces": {"users": users, "aliases": [], "rooms": []},
    }
    return yaml.safe_dump(fields, sort_keys=False)
