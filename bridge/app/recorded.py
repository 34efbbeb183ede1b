"""The operator's own IRC commands in the audit log: their names alone, as their words may be secret."""

import asyncio

import structlog

from bridge.config import Config
from bridge.irc.settings import IrcSettings
from bridge.users import UsersError
from bridge.users.audit import Audit

log = structlog.get_logger()


async def record_commands(config: Config, name: str, audit: Audit) -> None:
    """The network `name` is about to be connected to: its `pre_join` will be sent as it is."""
    settings = config.networks.get(name)
    if not isinstance(settings, IrcSettings) or not settings.pre_join:
        return
    commands = ", ".join(each.get_secret_value().partition(" ")[0].upper() for each in settings.pre_join)
    try:
        await asyncio.to_thread(audit.record, "config", "pre_join", f"{name}: {commands}")
    except UsersError as error:
        log.warning("not_recorded", network=name, reason=str(error), hint="it lacks that `pre_join` is sent")
