"""`tell`, and the delivery of what was left."""

from bots.api import Home, Question
from bots.commands.command import Call, command
from bots.commands.seen import NO_NAMES
from bots.commands.sightings import Sightings, key_of, names_of
from bots.commands.slips import Slip, Slips, TooManySlips
from bots.commands.state import State
from bridge.lib.durations import about
from bridge.model.text import as_name, one_line, words

_AT_ONCE = 3  # messages that are delivered when somebody speaks: the others follow when they speak again


@command("tell NAME TEXT")
async def tell(call: Call) -> str | None:
    """Tell somebody something when they next speak here, on either network.

    Somebody whom I have not seen here is written with a colon: `tell carol: welcome`. Messages wait for 30 days.

    >>> bob: hello
    >>> tell bob the duck is fed
    I will tell bob when they speak here.
    >>> bob: hello again
    bob: alice said 0 seconds ago: the duck is fed
    """
    name, _, text = call.args.partition(" ")
    text, question = text.strip(), call.question
    if not text or not key_of(name) or key_of(name) in NO_NAMES:
        return None
    known = None if question.private else await call.state.sightings.find(question, name)
    if known is None and not (name.endswith((":", ",")) or name.startswith("@")):
        return None
    if question.private:
        return "Say that in the room: what you tell me in private stays between us."
    if question.link and not question.carried:
        return "Only members can leave messages here: what guests say is not carried."
    if key_of(name) in names_of(question):
        return "You are here, and have just said it."
    try:
        await call.state.slips.leave(question, name, known.user if known else "", text)
    except TooManySlips:
        return "I cannot: too many messages wait already."
    return f"I will tell {as_name(one_line(name.strip('@:,'), 64))} when they speak here."


async def deliver(question: Question, slips: Slips, sightings: Sightings, home: Home) -> None:
    """Say what waits for who speaks, where they speak, some at a time. What cannot be said waits on, as does what was
    left for a name that a user has whom I have seen since."""
    waiting = [each for each in await slips.waiting(question) if await _is_for(question, each[1], sightings)]
    for key, slip in waiting[:_AT_ONCE]:
        with slips.held(key) as is_free:
            if not is_free:  # they have said several things at once
                continue
            try:
                await home.say(question.room, words(_worded(question, slip)), once=f"tell {key}")
            except PermissionError:
                return
            await slips.done(key)


async def _is_for(question: Question, slip: Slip, sightings: Sightings) -> bool:
    """Whether what was left for a name is for who asks, who has that name."""
    known = None if slip.user else await sightings.find(question, slip.to)
    return known is None or known.user in ("", question.user)


def _worded(question: Question, slip: Slip) -> str:
    ago = about(max(0.0, question.time - slip.time))
    return f"{one_line(question.asker.name, 64)}: {as_name(slip.sender)} said {ago} ago: {slip.text}"


async def listen(question: Question, state: State, home: Home) -> None:
    """Deliver what waits for who speaks, and remember that they spoke."""
    await deliver(question, state.slips, state.sightings, home)
    await state.sightings.note(question)


COMMANDS = (tell,)
