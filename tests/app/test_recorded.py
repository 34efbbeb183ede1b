"""The audit log names the operator's own IRC commands, and nothing of their words."""

from pathlib import Path
from typing import Any

import pytest
import structlog

from bridge.app.recorded import record_commands
from bridge.config import Config
from bridge.users.audit import Audit
from tests.settings import irc_settings

pytestmark = pytest.mark.real_time


def config(**settings: Any) -> Config:
    return Config.model_construct(networks={"libera": irc_settings(name="libera", **settings)})


async def test_commands_are_recorded_by_their_names_alone(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "users.json", lambda: 0.0)
    commands = ["MODE {nick} +x", "privmsg Q@CServe :AUTH duck hunter2"]
    await record_commands(config(pre_join=commands), "libera", audit)
    await record_commands(config(), "libera", audit)
    assert [(each.by, each.what, each.details) for each in audit.read()] == [
        ("config", "pre_join", "libera: MODE, PRIVMSG")
    ]
    assert "hunter2" not in audit.path.read_text()


async def test_an_audit_log_that_cannot_be_written_keeps_no_network_away(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "none" / "users.json", lambda: 0.0)
    with structlog.testing.capture_logs() as logs:
        await record_commands(config(pre_join=["MODE {nick} +x"]), "libera", audit)
    assert [each["event"] for each in logs] == ["not_recorded"]
