"""What an IRC network of the configuration says."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class IrcSettings:
    """One account on one IRC network. `burst` lines may go out at once, then `per_second`; `tls_ca_file` is a private
    CA that is trusted instead of the system's; `resend_doubtful` is what becomes of a post of unknown fate. Secrets are
    not in the repr."""

    name: str
    host: str
    port: int
    nick: str
    tls: bool = True
    username: str = "quackbridge"
    realname: str = "quackbridge"
    sasl_account: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    server_password: str | None = field(default=None, repr=False)
    burst: int = 5
    per_second: float = 0.5
    trust_hostmasks: bool = False
    resend_doubtful: bool = True
    tls_ca_file: Path | None = None
