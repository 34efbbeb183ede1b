"""Settings of networks, as a test needs them."""

from pathlib import Path
from typing import Any

from bridge.irc.settings import IrcSettings
from bridge.matrix.settings import MatrixSettings


def irc_settings(
    name: str = "net",
    host: str = "127.0.0.1",
    port: int = 6667,
    nick: str = "duck",
    *,
    tls: bool = True,
    sasl_account: str | None = None,
    sasl_password: str | None = None,
    sasl: dict[str, object] | None = None,
    server_password: str | None = None,
    burst: int = 5,
    per_second: float = 0.5,
    resend_doubtful: bool = True,
    tls_ca_file: Path | None = None,
    **more: Any,
) -> IrcSettings:
    """An IRC network. Nick and CA file are not checked: what was right when it was read may be wrong later."""
    section = {
        "type": "irc",
        "allow_plaintext": True,
        "server": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "tls": tls,
        "nick": "duck",
        "password": server_password,
        "sasl": {"account": sasl_account, "password": sasl_password, **(sasl or {})} if sasl_account else None,
        "flood": {"burst": burst, "per_second": per_second},
        "on_doubt": "resend" if resend_doubtful else "drop",
        **more,
    }
    settings = IrcSettings.model_validate(section).model_copy(update={"nick": nick, "tls_ca_file": tls_ca_file})
    return settings.called(name)


def matrix_settings(
    name: str = "home",
    homeserver: str = "http://localhost",
    user: str = "@duck:hs",
    password: str | None = None,
    access_token: str | None = None,
    *,
    encryption: bool = True,
    **more: Any,
) -> MatrixSettings:
    section = {
        **more,
        "type": "matrix",
        "homeserver": "http://localhost",
        "user": user,
        "password": password,
        "access_token": access_token,
        "encryption": encryption,
    }
    settings = MatrixSettings.model_validate(section).called(name)
    return settings.model_copy(update={"homeserver": homeserver})  # as it stands, so that it may be of no machine
