"""Builds the networks and the bots of the config."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from bots.api import Memory as BotMemory
from bots.attention import Attention, Manners, QuietHours
from bots.hosting.attending import Attending
from bots.hosting.host import Hosted
from bots.hosting.talks import Talks
from bots.load import load_bot
from bridge.admin.irc_logins import vault_of
from bridge.app.homes import Homes
from bridge.config import BotSection, Config, Hears
from bridge.http.links import new_key
from bridge.irc.client import IrcNetwork
from bridge.irc.puppets.identd import Identd
from bridge.irc.settings import IrcSettings
from bridge.matrix.client import MatrixNetwork
from bridge.matrix.settings import MatrixSettings
from bridge.model.event import Room
from bridge.network import IsAway, MediaSource, Network, Refused, Signals
from bridge.previews.fetcher import Fetcher
from bridge.relay.admins import Admins
from bridge.relay.health import MAX_AGE_S
from bridge.relay.limits import TellDead, TellGaps, Terms
from bridge.relay.previews import Previews
from bridge.relay.requests import RequestNews
from bridge.rules.gate import Gate
from bridge.store import Lease, PatientMemory, Store, stored
from bridge.users import Users
from bridge.users.logins import Logins

_LARGEST_UPLOAD = 20_000_000  # bytes of a file that is fetched for a preview: it is in memory meanwhile
_TYPING = 1.0  # most seconds that showing it may delay an answer


def network(
    config: Config,
    name: str,
    rooms: Sequence[Room],
    lease: Lease,
    rng: random.Random,
    gate: Gate,
    users: Users,
    identd: Identd,
    is_away: IsAway | None = None,
) -> Network:
    """The network that the config calls `name`, not connected yet. While the store is full, it waits before it sends
    what has to be stored first."""
    match config.networks[name]:
        case MatrixSettings() as settings:
            return MatrixNetwork(
                settings,
                rooms,
                PatientMemory(lease),
                clock=time.time,
                rng=rng,
                carries=gate.carries,
                knows=gate.knows,
                may_stay=gate.may_stay,
                may_talk=gate.why_not_talk,
                folder=config.store.path.parent,
            )
        case IrcSettings() as settings:
            memory = PatientMemory(lease)
            return IrcNetwork(
                settings,
                rooms,
                clock=time.time,
                rng=rng,
                memory=memory,
                is_ours=lease.valid,
                members=gate,
                accounts=Logins(users, vault_of(config), name),
                greets=gate.greets,
                identd=identd,
                is_away=is_away,
            )
        case _ as never:
            assert_never(never)


def terms(config: Config) -> Terms:
    """The limits that the config sets for carrying messages."""
    outbox, outages = config.outbox, config.outages
    return Terms(
        per_room=outbox.per_room,
        excerpt=config.store.excerpt,
        per_room_bytes=outbox.per_room_bytes,
        max_age=outbox.max_age,
        tell_after=outages.tell_after,
        tell_dead=TellDead(outbox.tell_dead),
        tell_gaps=TellGaps(outages.tell_gaps),
        uploads_per_day=config.media.max_per_day,
        largest_upload=min(config.media.max_size, _LARGEST_UPLOAD),
    )


def ready_max_age(config: Config) -> float:
    """How many seconds a message may wait before the outbox is not well any more."""
    return config.http.ready_max_age if config.http is not None else MAX_AGE_S


def previews(store: Store) -> Previews:
    """What fetches the pictures, sound and videos to which people link; `store` counts what is uploaded."""
    return Previews(Fetcher(), store, time.time)


_KEY = "key of links to files"


async def link_key(store: Store) -> bytes:
    """The key that signs links to files: made once, and kept in the store, so that links outlive a restart, and all
    workers know it."""
    return bytes.fromhex(await stored(store.agree, _KEY, new_key()))


def media_source(networks: Mapping[str, Network], name: str) -> MediaSource | None:
    """The running network `name`, if it has files."""
    found: object = networks.get(name)
    return found if isinstance(found, MediaSource) else None


def reach(admins: Admins, news: RequestNews, config: Config) -> None:
    """Set where people are reached: admins by Matrix ids on the first Matrix network, and who asked on all networks."""
    news.networks = frozenset(config.networks)
    matrix = (name for name, network in config.networks.items() if isinstance(network, MatrixSettings))
    admins.network = next(matrix, None)


@dataclass(frozen=True, slots=True)
class Kept:
    """A bot and its settings: while these stay the same, a reload keeps the bot and its memory."""

    settings: BotSection
    hosted: Hosted


def bots(config: Config, before: Mapping[str, Kept], homes: Homes, folder: Path) -> Mapping[str, Kept]:
    """The bots of the config; unchanged ones are those of `before`. Files in settings are relative to `folder`. Raises
    `Refused` if one cannot be loaded."""
    made = {}
    for key, bot in config.bots.items():
        known = before.get(key)
        if known is not None and known.settings == bot:
            made[key] = known
            continue
        try:
            at_home = homes.home(key, bot.name)
            loaded = load_bot(
                bot.use, bot.name, bot.brain, bot.delay, settings=bot.settings, home=at_home, folder=folder
            )
            hosted = Hosted(loaded, (key, bot.name), _attending(bot, (key, bot.name), homes.manners(key)))
        except ValueError as error:
            raise Refused(f"bots.{key}: {error}") from error
        made[key] = Kept(bot, hosted)
    return made


def _attending(bot: BotSection, names: tuple[str, ...], memory: BotMemory) -> Attending:
    hears_all = bot.hears is Hears.ALL
    manners = Manners(
        names=names,
        answers=bot.answers,
        stay_s=bot.stay,
        hears_all=hears_all,
        chatty=bot.chatty,
        quiet_hours=_quiet_hours(bot),
        per_person=bot.budget.per_person,
        per_room=bot.budget.per_room,
    )
    attention = Attention(manners, random.random)
    return Attending(attention, Talks(bot.context), memory, hears_all=hears_all)


def _quiet_hours(bot: BotSection) -> QuietHours | None:
    if bot.quiet_hours is None:
        return None
    start, end = (60 * int(each[:2]) + int(each[3:]) for each in bot.quiet_hours.split("-"))
    return QuietHours(start, end, bot.zone)


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
