"""What the setup has found out, and the config that says it. Pure."""

from dataclasses import dataclass

from bridge.config.editing import quoted
from bridge.model.people import Identity

SCHEMA = "config.schema.json"
"""The JSON Schema beside the config, for editors."""


@dataclass(frozen=True, slots=True)
class MatrixAnswers:
    """An account that has logged in, and a room that it is in. `room` as the config writes it."""

    name: str
    homeserver: str
    user: str
    password: str
    room: str


@dataclass(frozen=True, slots=True)
class IrcAnswers:
    """A nick that a server has let in, and a channel that it is in. `account`: '' for none; `fingerprint`: of the
    certificate that the operator trusts, '' if a CA vouches for it."""

    name: str
    server: str
    tls: bool
    nick: str
    channel: str
    account: str = ""
    password: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Answers:
    """All that the config needs. `admin` is the name of the first admin, who is known by `identities`."""

    link: str
    matrix: MatrixAnswers
    irc: IrcAnswers
    guests: str
    admin: str
    identities: tuple[Identity, ...]

    @property
    def secrets(self) -> dict[str, str]:
        """The content of each file in secrets/, by its name."""
        return {self.matrix.name: self.matrix.password} | (
            {self.irc.name: self.irc.password} if self.irc.account else {}
        )


def config_text(answers: Answers) -> str:
    """The config: what was answered, with comments that say where to go on."""
    matrix, irc = answers.matrix, answers.irc
    rooms = f"{quoted(f'{matrix.name}/{matrix.room}')}, {quoted(f'{irc.name}/{irc.channel}')}"
    lines = [
        f"# yaml-language-server: $schema={SCHEMA}",
        "# Made by `quackbridge setup`. Every key is explained in docs/configuration.md; after a change, run",
        "# `quackbridge check-config`. Paths are relative to this file.",
        "",
        "networks:                 # the accounts that the bridge logs in with",
        f"  {quoted(matrix.name)}:",
        "    type: matrix",
        f"    homeserver: {quoted(matrix.homeserver)}",
        f"    user: {quoted(matrix.user)}",
        f"    password_file: {quoted(f'secrets/{matrix.name}')}",
        f"  {quoted(irc.name)}:",
        "    type: irc",
        f"    server: {quoted(irc.server)}",
        *([] if irc.tls else ["    tls: false            # only to this machine"]),
        *([f"    tls_fingerprints: [{quoted(irc.fingerprint)}]"] if irc.fingerprint else []),
        f"    nick: {quoted(irc.nick)}",
        *_sasl(irc),
        "",
        "links:                    # the conversations",
        f"  {quoted(answers.link)}:",
        f"    rooms: [{rooms}]",
        f"    guests: {quoted(answers.guests)}   # people who are no users: duck-only, relay, or ignore",
        "    bots: [duck]",
        "",
        "bots:",
        '  duck: {use: "bots.duck:Duck"}',
        "",
        "users:",
        "  database: data/users.json",
        "",
        "store:",
        "  path: data/quackbridge.sqlite",
    ]
    return "\n".join(lines) + "\n"


def _sasl(irc: IrcAnswers) -> list[str]:
    if not irc.account:
        return []
    return [
        "    sasl:                 # the account at the network's services",
        f"      account: {quoted(irc.account)}",
        f"      password_file: {quoted(f'secrets/{irc.name}')}",
    ]
