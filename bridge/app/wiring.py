"""From the config to objects: the networks and the bots."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bots.host import Hosted
from bots.load import load_bot
from bridge.config import Bot, Config, IrcNetwork, MatrixNetwork
from bridge.irc.client import IrcNetwork as Irc
from bridge.irc.settings import IrcSettings
from bridge.matrix.client import MatrixNetwork as Matrix
from bridge.matrix.settings import MatrixSettings
from bridge.model.event import Room
from bridge.network import Memory, Network, Refused, Signals
from bridge.relay.limits import TellDead, Terms

_TYPING = 1.0  # seconds that showing it may hold up an answer


def network(config: Config, name: str, rooms: Sequence[Room], memory: Memory, rng: random.Random) -> Network:
    """The network that the config calls `name`, not connected yet."""
    match config.networks[name]:
        case MatrixNetwork() as account:
            return Matrix(
                MatrixSettings(
                    name=name,
                    homeserver=account.homeserver,
                    user=account.user,
                    password=account.password,
                    access_token=account.access_token,
                ),
                rooms,
                memory,
                clock=time.time,
                rng=rng,
            )
        case IrcNetwork() as account:
            return Irc(
                IrcSettings(
                    name=name,
                    host=account.host,
                    port=account.port,
                    tls=account.tls,
                    tls_ca_file=account.tls_ca_file,
                    nick=account.nick,
                    username=account.username,
                    realname=account.realname,
                    server_password=account.password,
                    sasl_account=account.sasl.account if account.sasl else None,
                    sasl_password=account.sasl.password if account.sasl else None,
                    burst=account.flood.burst,
                    per_second=account.flood.per_second,
                    trust_hostmasks=account.trust_hostmasks,
                    resend_doubtful=account.on_doubt == "resend",
                ),
                rooms,
                clock=time.time,
                rng=rng,
            )


def terms(config: Config) -> Terms:
    """How patiently the config wants messages carried."""
    outbox = config.outbox
    return Terms(outbox.per_room, outbox.max_age, config.outages.tell_after, TellDead(outbox.tell_dead))


@dataclass(frozen=True, slots=True)
class Kept:
    """A bot, and the settings that it was made of: while these stay, so does what it remembers."""

    settings: Bot
    hosted: Hosted


def bots(config: Config, before: Mapping[str, Kept]) -> Mapping[str, Kept]:
    """The bots of the config, those of `before` that are the same among them. `Refused` where one is not to be had."""
    made = {}
    for key, bot in config.bots.items():
        known = before.get(key)
        if known is not None and known.settings == bot:
            made[key] = known
            continue
        try:
            hosted = Hosted(load_bot(bot.use, bot.name, bot.brain, bot.delay), (key, bot.name))
        except ValueError as error:
            raise Refused(f"bots.{key}: {error}") from error
        made[key] = Kept(bot, hosted)
    return made


@asynccontextmanager
async def typing(networks: Mapping[str, Network], rooms: Sequence[Room]) -> AsyncGenerator[None, None]:
    """Show that somebody is typing in those of `rooms` whose network can."""
    those: list[tuple[object, Room]] = [(networks.get(room.network), room) for room in rooms]
    shown = [(network, room) for network, room in those if isinstance(network, Signals)]

    async def show(*, active: bool) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TYPING):
                await asyncio.gather(*(network.typing(room, active) for network, room in shown))

    await show(active=True)
    try:
        yield
    finally:
        await show(active=False)
