"""What a Matrix network of the configuration says."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MatrixSettings:
    """One account on one homeserver, whose client-server API is at `homeserver` (a URL). `user` is the full id. A
    password or an access token must be given. Secrets are not in the repr."""

    name: str
    homeserver: str
    user: str
    password: str | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)
    device_name: str = "quackbridge"
