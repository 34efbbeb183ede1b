"""How irctest (https://github.com/progval/irctest) runs us: the real daemon, on one IRC network."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from irctest.basecontrollers import BaseClientController, DirectoryBasedController

from bridge.irc.settings import IrcSettings
from bridge.users.tinydb import TinyUsers


class QuackbridgeController(BaseClientController, DirectoryBasedController):
    """Runs `quackbridge run` in a folder of its own, which stays until the test is over: so a second run remembers."""

    software_name = "quackbridge"
    supported_sasl_mechanisms = frozenset({"PLAIN", "SCRAM-SHA-256", "ECDSA-NIST256P-CHALLENGE", "EXTERNAL"})
    supports_sts = find_spec("bridge.irc.wire.sts") is not None

    def run(self, hostname: str, port: int, auth: Any, tls_config: Any = None) -> None:
        self.create_config()
        folder = Path(self.directory)
        network = {
            "type": "irc",
            "server": f"{'localhost' if hostname == '0.0.0.0' else hostname}:{port}",
            "tls": tls_config is not None and tls_config.enable,
            "allow_plaintext": True,
            "nick": "quackbridge",
        }
        if tls_config is not None and "tls_fingerprints" in IrcSettings.model_fields:
            network["tls_fingerprints"] = [f"sha256:{each}" for each in tls_config.trusted_fingerprints]
        if auth is not None:
            network["sasl"] = self._sasl(auth, folder)
        config = {
            "networks": {"net": network},
            "users": {"database": "users.json"},
            "store": {"path": "store.sqlite"},
        }
        if not (folder / "users.json").exists():
            TinyUsers.create(folder / "users.json")
        path = folder / "config.yaml"
        path.write_text(yaml.safe_dump(config))
        self.proc = self.execute([sys.executable, "-m", "bridge", "run", "-c", str(path)])

    def _sasl(self, auth: Any, folder: Path) -> dict[str, object]:
        sasl: dict[str, object] = {
            "mechanism": [each.to_string().lower() for each in auth.mechanisms],
            "account": auth.username,
        }
        for name, secret in (("password_file", auth.password), ("key_file", auth.ecdsa_key)):
            if secret:
                sasl[name] = name
                (folder / name).touch(mode=0o600)
                (folder / name).write_text(secret.lstrip("\n"))
        return sasl


def get_irctest_controller_class() -> type[QuackbridgeController]:
    """What irctest asks a controller's module for."""
    return QuackbridgeController
