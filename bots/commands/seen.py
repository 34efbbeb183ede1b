"""`seen`."""

from bots.commands.command import Call, command
from bots.commands.sightings import key_of, names_of
from bridge.lib.durations import about
from bridge.model.text import as_name, one_line

NO_NAMES = frozenset(
    [
        "a",
        "an",
        "the",
        "it",
        "this",
        "that",
        "me",
        "you",
        "him",
        "her",
        "us",
        "them",
        "i",
        "we",
        "they",
        "my",
        "your",
        "his",
        "our",
        "any",
        "some",
        "all",
        "nobody",
        "everybody",
        "everyone",
        "somebody",
        "one",
        "again",
        "enough",
    ]
)
"""Words that are hardly a name behind `seen` and `tell`."""


@command("seen NAME", "have you seen")
async def seen(call: Call) -> str | None:
    """Tell when somebody spoke here last.

    Only what was said in this room, or carried to it, counts: nothing private.

    >>> bob: good evening
    >>> seen bob
    bob spoke here 0 seconds ago.
    >>> seen carol
    I have not seen carol here.
    """
    name = one_line(call.args, 64).strip()
    if not name or " " in name or key_of(name) in NO_NAMES or not key_of(name):
        return None
    if call.question.private:
        return "I tell that only in the room where I heard them."
    if key_of(name) in names_of(call.question):
        return "That is you, I see you now."
    found = await call.state.sightings.find(call.question, name)
    if found is None:
        return f"I have not seen {as_name(name.lstrip('@').rstrip('?:,.!'))} here."
    return f"{as_name(found.name)} spoke here {about(max(0.0, call.now - found.time))} ago."


COMMANDS = (seen,)
