"""What can be configured of a Matrix network."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from bridge.lib import hosts
from bridge.lib.settings import Duration, FilePath, NamedSection, Section, revealed
from bridge.model import identifiers


def _service_url(url: str) -> str:
    """`url` without a slash at its end. Raises ValueError if a homeserver cannot call it."""
    parts = urlsplit(url)
    _ = parts.port  # raises ValueError if it is not a port
    is_url = parts.scheme in {"http", "https"} and parts.hostname and not (parts.username or parts.query)
    if not is_url or parts.fragment or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("must be a URL such as http://bridge.example.org:9191")
    return url.rstrip("/")


class GhostSection(Section):
    """The accounts of people on IRC on this homeserver, in links with `ghosts`."""

    idle: Duration = Field(default="30d", validate_default=True)
    """A ghost leaves its rooms once its person has said nothing for so long; it comes back with their next words."""
    token_file: FilePath | None = None
    """The file with the tokens of the registration, made by `quackbridge registration` if it is not there. Default:
    `ghosts-NETWORK.json` beside the store. Where several machines share a store, each needs the same file."""
    url: Annotated[str, AfterValidator(_service_url)] | None = None
    """Where the homeserver reaches `http.listen` of the bridge, such as `http://bridge.example.org:9191`: then members
    can talk with people on IRC in rooms of two. It is in what `quackbridge registration` prints, which the homeserver
    has to be given again when it changes. Absent: the homeserver sends us nothing."""


class MatrixSettings(NamedSection):
    """An account on a Matrix homeserver. Exactly one of password, password_file, access_token, access_token_file."""

    type: Literal["matrix"]
    """What kind of network this is: `matrix` or `irc`."""
    allow_plaintext: bool = False
    """Allow an unencrypted http:// homeserver on another machine. Anyone on the path can read it, the password too."""
    homeserver: str
    """The homeserver's URL, as clients use it: `https://matrix.example.org`; or that of a domain whose
    `/.well-known/matrix/client` names it. http:// only on this machine, or with `allow_plaintext`."""
    user: Annotated[str, AfterValidator(identifiers.matrix_user)]
    """The bridge's own Matrix id: `"@duck:example.org"`."""
    password_: SecretStr | None = Field(default=None, alias="password")
    """The account's password. Better in a file of its own: `password_file`."""
    password_file: FilePath | None = None
    """A file that holds the password, in one line; readable by nobody but its owner."""
    access_token_: SecretStr | None = Field(default=None, alias="access_token")
    """An access token instead of the password."""
    access_token_file: FilePath | None = None
    """A file that holds the access token; readable by nobody but its owner."""
    encryption: bool = True
    """Take part in end-to-end encrypted rooms and conversations. `false`: nothing is read there, and a message for such
    a room is kept as dead, never sent in plain."""

    trust: Literal["all", "cross-signed"] = "all"
    """Whose devices get keys, and are believed, in encrypted rooms: `all`, or `cross-signed`, those that their owners
    have verified. What others say from a device that they have not verified is then not carried, and they are told
    so."""
    recovery_key_: SecretStr | None = Field(default=None, alias="recovery_key")
    """The recovery key of the account's secret storage. Better in a file of its own: `recovery_key_file`."""
    recovery_key_file: FilePath | None = None
    """A file that holds the recovery key, in one line; readable by nobody but its owner. Needed only if the store with
    the account's cross-signing keys was lost, or another client made them."""

    ghosts: GhostSection = Field(default={}, validate_default=True)
    """The accounts of people on IRC here."""

    @property
    def password(self) -> str | None:
        """The secret itself, wherever it was written."""
        return revealed(self.password_)

    @property
    def access_token(self) -> str | None:
        """The secret itself, wherever it was written."""
        return revealed(self.access_token_)

    @property
    def recovery_key(self) -> str | None:
        """The secret itself, wherever it was written."""
        return revealed(self.recovery_key_)

    @property
    def server_name(self) -> str:
        """The domain of our Matrix id, and of the ids of all who are on our homeserver."""
        return self.user.partition(":")[2]

    @property
    def host(self) -> str:
        return urlsplit(self.homeserver).hostname or ""

    @property
    def tls(self) -> bool:
        return urlsplit(self.homeserver).scheme == "https"

    @field_validator("homeserver")
    @classmethod
    def _safe_url(cls, url: str, info: ValidationInfo) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise ValueError("must be a URL such as https://matrix.example.org")
        _ = parts.port  # raises ValueError if it is not a port
        allowed = info.data.get("allow_plaintext", True)
        if parts.scheme == "http" and not hosts.is_loopback(parts.hostname) and not allowed:
            raise ValueError(
                "http:// to another machine: anyone on the path can read the password; "
                "write https://, or set allow_plaintext: true"
            )
        return url.rstrip("/")
