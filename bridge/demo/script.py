"""The scripted conversation: members are carried both ways, a guest talks to the duck and to nobody else."""

import asyncio
from collections.abc import Awaitable

from bridge.demo.people import Heard, IrcPerson, MatrixPerson, NotHeard
from bridge.demo.pond import CHANNEL, DUCK, MEMBER_ON_IRC, MEMBER_ON_MATRIX, PASSWORD, Pond
from bridge.demo.servers.process import HOST
from bridge.demo.show import Screen, follow

GUEST = "mallory"

_PATIENCE = 15.0  # seconds for a line to arrive: carrying takes 0.1, the duck waits for 1, a busy machine is slower


async def converse(pond: Pond, screen: Screen) -> list[str]:
    """Hold the conversation, and return what went wrong in it, a line each."""
    async with (
        MatrixPerson(pond.synapse.url, MEMBER_ON_MATRIX, PASSWORD) as alice,
        IrcPerson(HOST, pond.irc.port, MEMBER_ON_IRC) as bob,
        IrcPerson(HOST, pond.irc.port, GUEST) as mallory,
        asyncio.TaskGroup() as group,
    ):
        ears = group.create_task(follow(mallory, "IRC", screen, private=True), name="watch the guest")
        await bob.join(CHANNEL)
        await mallory.join(CHANNEL)
        wrong = await _members(pond, alice, bob) + await _guest(pond, alice, bob, mallory)
        ears.cancel()
    return wrong


async def _members(pond: Pond, alice: MatrixPerson, bob: IrcPerson) -> list[str]:
    """Each line is heard on the other side before the next is said."""
    wrong = []
    await alice.send(pond.room, "Good morning, pond! Can you hear me on IRC?")
    wrong += await _missing(bob.heard("Good morning, pond", _PATIENCE), "alice's line, on IRC")
    await bob.say(CHANNEL, "Loud and clear. Do you hear me on Matrix?")
    wrong += await _missing(alice.heard("Loud and clear", _PATIENCE), "bob's line, on Matrix")
    await bob.me(CHANNEL, "throws some bread")
    wrong += await _missing(alice.heard("throws some bread", _PATIENCE), "bob's /me, on Matrix")
    await alice.send(pond.room, f"{DUCK}: is the water warm?")
    for person, network in ((bob, "IRC"), (alice, "Matrix")):
        answer = person.heard(lambda heard: _by_duck(heard) and "is the water warm" in heard.text, _PATIENCE)
        wrong += await _missing(answer, f"the duck's answer to alice, on {network}")
    return wrong


async def _guest(pond: Pond, alice: MatrixPerson, bob: IrcPerson, mallory: IrcPerson) -> list[str]:
    """The guest's words must not cross: a member's later line has arrived without them, and rooms keep order."""
    await mallory.say(CHANNEL, f"{DUCK}: may I swim with you?")
    answer = mallory.heard(
        lambda heard: heard.room == CHANNEL and heard.sender == DUCK and "may I swim" in heard.text, _PATIENCE
    )
    wrong = await _missing(answer, "the duck's answer to the guest, on IRC")
    notice = mallory.heard(lambda heard: heard.room != CHANNEL and "Your messages stay in" in heard.text, _PATIENCE)
    wrong += await _missing(notice, "the word to the guest that their messages stay there, on IRC")
    await bob.say(CHANNEL, "Only members are heard on the other side.")
    wrong += await _missing(alice.heard("Only members are heard", _PATIENCE), "bob's last line, on Matrix")
    if any("may I swim" in heard.text for heard in alice.messages):
        wrong.append("the guest was heard on Matrix")
    return wrong


def _by_duck(heard: Heard) -> bool:
    return heard.sender.removeprefix("@").partition(":")[0] == DUCK


async def _missing(line: Awaitable[object], what: str) -> list[str]:
    try:
        await line
    except NotHeard:
        return [f"missing: {what}"]
    return []
