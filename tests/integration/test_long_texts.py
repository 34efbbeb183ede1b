"""Texts that are too long for IRC, on real servers: the lines that people see there, and the link to the whole."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.people import IrcPerson, MatrixPerson
from bridge.demo.servers import Synapse
from bridge.demo.servers.process import HOST, free_port
from tests.integration.daemon import quackbridge, write_config
from tests.integration.pond import PASSWORD, Pond
from tests.integration.servers import Anope, NgIrcd, unique
from tests.integration.test_media import fetch, post, until

pytestmark = pytest.mark.servers

_VERSES = [f"verse {number}" for number in range(1, 61)]
_LINK = re.compile(r"http://[0-9.:]+/[mt]/[\w-]{48}")


async def dig(tmp_path: Path, synapse: Synapse, services: Anope, plain: NgIrcd, *, links: bool, **link: Any) -> Pond:
    """A pond on two IRC servers, with links if there are `links`. `link`: settings of its link."""
    pond = Pond(tmp_path, synapse, services, plain)
    await pond.dig()
    if links:
        port = free_port()
        pond.config["http"] = {"listen": f"{HOST}:{port}", "public_url": f"http://{HOST}:{port}"}
    pond.config["links"]["pond"] |= link  # type: ignore[index]
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    return pond


async def said(person: IrcPerson, pond: Pond, number: int) -> list[str]:
    """The first lines of the bridge in the channel, once there are so many."""
    await person.heard(lambda _: len(lines(person, pond)) >= number)
    return lines(person, pond)


def lines(person: IrcPerson, pond: Pond) -> list[str]:
    """What the bridge said in the channel."""
    return [heard.text for heard in person.messages if heard.sender == pond.duck and heard.room == pond.channel]


async def test_a_members_long_text_is_four_lines_and_a_link_that_gives_its_last_edit_until_it_is_removed(
    tmp_path: Path, synapse: Synapse, services: Anope, ngircd: NgIrcd
) -> None:
    pond = await dig(tmp_path, synapse, services, ngircd, links=True)
    async with pond.daemon() as daemon, pond.people() as (alice, bob), pond.plain_person("carol") as carol:
        await carol.join(pond.channel)
        await daemon.ready()
        html = "<br>".join([*_VERSES[:-1], '<a href="https://pond.social/a">the pond</a>'])
        formatted = {"format": "org.matrix.custom.html", "formatted_body": html}
        first = await alice.send(pond.room, "\n".join(_VERSES), **formatted)
        for person in (bob, carol):
            *shown, last = await said(person, pond, 5)
            assert shown == [f"<{pond.alice}> {verse}" for verse in _VERSES[:4]]
            assert _LINK.sub("LINK", last) == f"<{pond.alice}> ... 56 more lines: LINK"
            (link,) = _LINK.findall(last)
            whole = "\n".join([*_VERSES[:-1], "the pond (https://pond.social/a)"])
            assert await fetch(link) == (200, whole.encode())
        edit: dict[str, Any] = {
            "m.new_content": {"msgtype": "m.text", "body": "all of it was wrong"},
            "m.relates_to": {"rel_type": "m.replace", "event_id": first},
        }
        await alice.send(pond.room, "* short", **edit)
        await carol.heard("(edited)")
        assert await fetch(link) == (200, b"all of it was wrong")
        await alice.redact(pond.room, first)
        await until(link, 404)


async def test_without_an_address_for_links_a_long_text_is_twenty_lines_and_how_many_more_there_are(
    tmp_path: Path, synapse: Synapse, services: Anope, ngircd: NgIrcd
) -> None:
    pond = await dig(tmp_path, synapse, services, ngircd, links=False)
    async with pond.daemon() as daemon, pond.people() as (alice, bob), pond.plain_person("carol") as carol:
        await carol.join(pond.channel)
        await daemon.ready()
        await alice.send(pond.room, "\n".join(_VERSES))
        await alice.send(pond.room, "\n".join(_VERSES[:21]))
        for person in (bob, carol):
            await person.heard("verse 21")
            assert lines(person, pond) == [
                *(f"<{pond.alice}> {verse}" for verse in _VERSES[:20]),
                f"<{pond.alice}> ... 40 more lines",
                *(f"<{pond.alice}> {verse}" for verse in _VERSES[:21]),
            ]


async def test_a_guest_who_sends_many_pictures_and_texts_gets_links_for_the_first_six_and_a_ban_revokes_them(
    tmp_path: Path, synapse: Synapse, services: Anope, ngircd: NgIrcd
) -> None:
    pond = await dig(tmp_path, synapse, services, ngircd, links=True, guests="relay")
    name = unique("mallory")
    async with (
        pond.daemon() as daemon,
        pond.people() as (_, bob),
        pond.plain_person("carol") as carol,
        MatrixPerson(pond.synapse.url, name) as mallory,
    ):
        await carol.join(pond.channel)
        await mallory.join(pond.room)
        await daemon.ready()
        for number in range(5):
            await post(mallory, pond, b"\x89PNG" + bytes([number]) * 100, f"picture {number}")
        for number in range(3):
            await mallory.send(pond.room, "\n".join([f"text {number}", *_VERSES[:30]]))
        await mallory.send(pond.room, "the end")
        for person in (bob, carol):
            await person.heard("the end")
            heard = lines(person, pond)
            pictures = [line for line in heard if "[image:" in line]
            assert [bool(_LINK.search(line)) for line in pictures] == [True] * 5
            ends = [line.partition(" (guest)> ")[2] for line in heard if " more lines" in line]
            assert [_LINK.sub("LINK", end) for end in ends] == [
                "... 27 more lines: LINK",
                "... 25 more lines",
                "... 25 more lines",
            ]
            assert sum(line.count("/m/") + line.count("/t/") for line in heard) == 6
        links = [found[0] for line in lines(bob, pond) if (found := _LINK.search(line))]
        assert [(await fetch(link))[0] for link in links] == [200] * 6
        target = synapse.user_id(name)
        done = await asyncio.to_thread(quackbridge, pond.folder, "ban-user", target, "--revoke-media")
        assert done.stdout.endswith("; the links to 5 files and 1 text of theirs no longer work\n"), done.stderr
        assert [(await fetch(link))[0] for link in links] == [404] * 6


async def test_a_long_answer_of_the_duck_has_a_link_to_all_of_it(
    tmp_path: Path, synapse: Synapse, services: Anope, ngircd: NgIrcd
) -> None:
    pond = await dig(tmp_path, synapse, services, ngircd, links=True)
    async with pond.daemon() as daemon, pond.people() as (alice, bob):
        await daemon.ready()
        await alice.send(pond.room, "\n".join([f"{pond.duck}: quack", *_VERSES]))
        answered = await bob.heard(lambda heard: "more lines" in heard.text and pond.alice not in heard.text)
        (link,) = _LINK.findall(answered.text)
        status, whole = await fetch(link)
        assert status == 200
        assert whole.decode().endswith("\n".join(_VERSES[-10:]))
