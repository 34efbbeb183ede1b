"""Synapse, the reference Matrix homeserver, from the `matrix-synapse` package of the running Python's environment."""

import base64
import importlib.util
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from bridge.demo.servers.process import HOST, Process

_UNLIMITED = {"per_second": 100_000, "burst_count": 100_000}


class Synapse(Process):
    """A homeserver on SQLite, open for registration, without federation. `extra` overrides top-level settings of its
    homeserver.yaml (rate limits, say: they are off by default)."""

    def __init__(self, folder: Path, *, server_name: str = "localhost", extra: Mapping[str, Any] | None = None) -> None:
        super().__init__(folder)
        self.server_name = server_name
        self.url = f"http://{HOST}:{self.port}"
        self._extra = dict(extra or {})

    @classmethod
    def missing(cls) -> str | None:
        if importlib.util.find_spec("synapse") is None:
            return f"matrix-synapse is not installed here: {sys.executable} -m pip install matrix-synapse"
        return None

    def command(self) -> Sequence[str]:
        return (sys.executable, "-m", "synapse.app.homeserver", "--config-path", "homeserver.yaml")

    def prepare(self) -> None:
        seed = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        (self.folder / "signing.key").write_text(f"ed25519 a_{secrets.token_hex(2)} {seed}\n")
        (self.folder / "log.yaml").write_text(yaml.safe_dump(_LOGGING))
        (self.folder / "homeserver.yaml").write_text(yaml.safe_dump(self._settings() | self._extra))

    def _settings(self) -> dict[str, Any]:
        return {
            "server_name": self.server_name,
            "public_baseurl": f"{self.url}/",
            "pid_file": "homeserver.pid",
            "listeners": [
                {
                    "port": self.port,
                    "bind_addresses": [HOST],
                    "type": "http",
                    "tls": False,
                    "resources": [{"names": ["client"], "compress": False}],
                }
            ],
            "database": {"name": "sqlite3", "args": {"database": str(self.folder / "homeserver.db")}},
            "log_config": str(self.folder / "log.yaml"),
            "media_store_path": str(self.folder / "media"),
            "signing_key_path": str(self.folder / "signing.key"),
            "macaroon_secret_key": secrets.token_hex(16),
            "form_secret": secrets.token_hex(16),
            "report_stats": False,
            "trusted_key_servers": [],
            "enable_registration": True,
            "enable_registration_without_verification": True,
            "bcrypt_rounds": 4,  # throw-away accounts: else each login costs a third of a second
            "rc_message": _UNLIMITED,
            "rc_registration": _UNLIMITED,
            "rc_login": {"address": _UNLIMITED, "account": _UNLIMITED, "failed_attempts": _UNLIMITED},
            "rc_joins": {"local": _UNLIMITED, "remote": _UNLIMITED},
            "rc_joins_per_room": _UNLIMITED,
            "rc_invites": {"per_room": _UNLIMITED, "per_user": _UNLIMITED, "per_issuer": _UNLIMITED},
            "rc_room_creation": _UNLIMITED,
        }

    def user_id(self, localpart: str) -> str:
        return f"@{localpart}:{self.server_name}"

    async def register(self, localpart: str, password: str) -> str:
        """Make an account and return its user id. Spec: POST /_matrix/client/v3/register."""
        account = {
            "username": localpart,
            "password": password,
            "auth": {"type": "m.login.dummy"},
            "inhibit_login": True,
        }
        async with (
            aiohttp.ClientSession(raise_for_status=True) as http,
            http.post(f"{self.url}/_matrix/client/v3/register", json=account) as answer,
        ):
            await answer.read()
        return self.user_id(localpart)


_LOGGING = {
    "version": 1,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"level": "WARNING", "handlers": ["console"]},
    "disable_existing_loggers": False,
}
