"""Kicks and bans across the bridge, through the real daemon: Synapse with the registration, InspIRCd with services."""

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.people import IrcPerson, MatrixPerson
from bridge.demo.people.heard import NotHeard
from bridge.demo.servers import Synapse
from bridge.irc.puppets.nicks import username
from bridge.matrix.ghosts.registration import Tokens, token_file
from bridge.model.people import Identity, Proof
from bridge.users import User
from bridge.users.tinydb import TinyUsers
from tests.integration.daemon import quackbridge, write_config
from tests.integration.haunted import haunted, member, remove
from tests.integration.pond import PASSWORD, Pond
from tests.integration.servers import Anope, unique

pytestmark = pytest.mark.servers


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[Synapse, None]:
    async with haunted(tmp_path) as server:
        yield server


class Stage:
    """A pond with puppets and ghosts. alice runs the room on Matrix, bob the channel; carol is a member on Matrix."""

    def __init__(self, pond: Pond, alice: MatrixPerson, carol: MatrixPerson, bob: IrcPerson, place: str) -> None:
        self.pond, self.alice, self.carol, self.bob, self.place = pond, alice, carol, bob, place
        networks: Any = pond.config["networks"]
        self.puppet = networks["irc"]["puppets"]["nick"].replace("{name}", "carol")
        self.ghost = pond.synapse.user_id(f"irc_irc_{pond.bob}")

    async def speak(self) -> None:
        """carol gets her puppet, bob his ghost."""
        await self.carol.send(self.pond.room, "quack")
        assert (await self.bob.heard("quack")).sender == self.puppet
        await self.bob.say(self.pond.channel, "hello")
        assert (await self.alice.heard("hello")).sender == self.ghost

    async def returns(self, text: str) -> None:
        """bob's ghost is back with his words, once the bridge knows that it may."""
        for number in range(15):
            await self.bob.say(self.pond.channel, f"{text} {number}")
            with suppress(NotHeard):
                assert (await self.alice.heard(f"{text} {number}", timeout=2)).sender == self.ghost
                return
        raise AssertionError(f"{self.ghost} is not back")

    async def reason(self, user: str) -> tuple[str, str]:
        """How a user stands with the room, and why."""
        found = await member(self.alice, self.place, user)
        return found["membership"], found.get("reason", "")

    def audit(self) -> list[tuple[str, str]]:
        lines = json.loads(quackbridge(self.pond.folder, "audit", "--json").stdout)
        return [(line["by"], line["what"]) for line in lines if line["what"].startswith("mirror")]


@asynccontextmanager
async def staged(tmp_path: Path, house: Synapse, services: Anope, moderation: str) -> AsyncGenerator[Stage, None]:
    pond = Pond(tmp_path, house, services)
    await pond.dig()
    config: dict[str, Any] = pond.config
    config["links"]["pond"] |= {"puppets": "members", "ghosts": "speakers", "moderation": moderation}
    config["networks"]["irc"]["puppets"] = {"nick": "{name}" + unique("p"), "connect_every": "off"}
    config["networks"]["home"]["ghosts"] = {"token_file": str(token_file(None, "home", tmp_path / "data"))}
    assert Tokens.read(token_file(None, "home", tmp_path / "data")) is not None
    write_config(pond.folder, config, {"home": PASSWORD})
    name = unique("carol")
    users = TinyUsers(pond.folder / "data" / "users.json")
    users.add(User("carol", identities=(Identity(Proof.MATRIX, "", house.user_id(name)),)))
    async with AsyncExitStack() as stack:
        alice, bob = await stack.enter_async_context(pond.people())
        carol = await stack.enter_async_context(MatrixPerson(house.url, name))
        await carol.join(pond.room)
        daemon = await stack.enter_async_context(pond.daemon())
        await daemon.ready()
        yield Stage(pond, alice, carol, bob, await alice.room_id(pond.room))


async def _empower(stage: Stage) -> None:
    """The bridge gets what it needs on both sides."""
    levels = await stage.alice.call("GET", f"rooms/{stage.place}/state/m.room.power_levels")
    levels["users"][stage.pond.duck_id] = 50
    await stage.alice.call("PUT", f"rooms/{stage.place}/state/m.room.power_levels", levels)
    await stage.bob.raw(f"MODE {stage.pond.channel} +o {stage.pond.duck}")
    await stage.bob.line(lambda line: line.command == "MODE" and stage.pond.duck in line.params)


async def test_what_is_done_to_a_puppet_is_done_to_its_owner_and_audited(
    tmp_path: Path, house: Synapse, services: Anope
) -> None:
    async with staged(tmp_path, house, services, "mirror") as stage:
        await _empower(stage)
        await stage.speak()
        carol, channel = stage.carol.user_id, stage.pond.channel
        await stage.bob.raw(f"KICK {channel} {stage.puppet} :too loud")
        await stage.alice.sees(stage.pond.room, carol, "leave")
        assert await stage.reason(carol) == ("leave", f"by {stage.pond.bob} on irc/{channel}: too loud")
        await stage.carol.join(stage.pond.room)
        mask = f"*!*{username(carol)}@*"
        await stage.bob.raw(f"MODE {channel} +bb *!*@nowhere.example {mask}")
        await stage.alice.sees(stage.pond.room, carol, "ban")
        await stage.bob.raw(f"MODE {channel} -b {mask}")
        await stage.alice.sees(stage.pond.room, carol, "leave")
        assert [what for _, what in stage.audit()] == ["mirror-kick", "mirror-ban", "mirror-unban"]
        assert {by for by, _ in stage.audit()} == {f"irc/{stage.pond.bob}"}
        assert (await stage.reason(stage.alice.user_id))[0] == "join"


async def test_what_is_done_to_a_ghost_is_done_to_its_person(tmp_path: Path, house: Synapse, services: Anope) -> None:
    async with staged(tmp_path, house, services, "mirror") as stage:
        await _empower(stage)
        await stage.speak()
        pond, channel = stage.pond, stage.pond.channel
        await remove(stage.alice, stage.place, stage.ghost, "kick", "too loud")
        kick = await stage.bob.line(lambda line: line.command == "KICK" and line.params[1] == pond.bob)
        assert (kick.source, kick.params[2]) == (pond.duck, f"by {pond.alice} on home/{pond.room}: too loud")
        await stage.bob.join(channel)
        await stage.alice.invite(stage.place, stage.ghost)
        await stage.returns("sorry")
        await remove(stage.alice, stage.place, stage.ghost, "ban", "again")
        await stage.bob.line(lambda line: line.command == "KICK" and "again" in line.params[-1])
        await stage.bob.raw(f"JOIN {channel}")
        await stage.bob.line(lambda line: line.command == "474")
        await remove(stage.alice, stage.place, stage.ghost, "unban")
        async with pond.person(unique("sam")) as sam:
            await sam.join(channel)
            while "b" in (await sam.ask(f"MODE {channel} b", lambda line: line.command in ("367", "368"))).command:
                pass
        assert [what for _, what in stage.audit()] == ["mirror-kick", "mirror-ban", "mirror-unban"]
        await stage.bob.join(channel)


async def test_without_the_power_and_by_default_it_is_told_in_words(
    tmp_path: Path, house: Synapse, services: Anope
) -> None:
    async with staged(tmp_path, house, services, "mirror") as stage:
        await stage.speak()
        pond = stage.pond
        await stage.bob.raw(f"KICK {pond.channel} {stage.puppet} :too loud")
        told = await stage.alice.heard("has kicked")
        assert told.text.startswith(f"{pond.bob} has kicked {stage.puppet} from irc/{pond.channel}: too loud")
        assert "(not done here:" in told.text
        await remove(stage.alice, stage.place, stage.ghost, "ban", "too loud")
        said = await stage.bob.heard("has banned")
        assert (said.sender, said.kind) == (pond.duck, "notice")
        assert f"from home/{pond.room}: too loud" in said.text
        assert (await stage.reason(stage.carol.user_id))[0] == "join"


async def test_who_is_taken_from_the_allowlist_has_neither_puppet_nor_ghost_any_more(
    tmp_path: Path, house: Synapse, services: Anope
) -> None:
    async with staged(tmp_path, house, services, "words") as stage:
        await stage.speak()
        assert quackbridge(stage.pond.folder, "remove-user", "carol").returncode == 0
        await stage.bob.line(lambda line: line.command == "QUIT" and line.source == stage.puppet, timeout=15)
        assert quackbridge(stage.pond.folder, "ban-user", "bob").returncode == 0
        await stage.alice.sees(stage.pond.room, stage.ghost, "leave", timeout=20)
        quackbridge(stage.pond.folder, "lift", "bob")
        await stage.returns("back")
