"""`help` and `ping`."""

from bots.commands.command import Call, command
from bots.commands.votes import may_take_part

_IN_ROOMS = frozenset({"poll", "vote", "end poll", "tell", "seen"})
"""Commands for those whom all in a room hear."""
_GUEST = "Only members are carried to the other side. To become one, say `request` to me, here or in private."


@command("help [COMMAND]")
def help_(call: Call) -> str | None:
    """Say what I can do, or explain one command.

    >>> help
    I can: calc, ... `help COMMAND` explains one.
    >>> help ping
    ping: Tell that I am here. Example: `ping`
    """
    prefix, known = call.state.prefix, call.state.known
    if call.args:
        found = known.get(" ".join(call.args.lower().removeprefix(prefix).split()).strip("`?!."))
        if found is None:
            return None
        example = f" Example: `{prefix}{found.samples[0].said}`" if found.samples else ""
        more = f" {found.more}" if found.more else ""
        return f"{prefix}{found.usage}: {found.about}{more}{example}"
    hidden = frozenset() if may_take_part(call.question) else _IN_ROOMS
    names = ", ".join(sorted({each.name for each in known.values()} - hidden))
    said = f"I can: {names}. `{prefix}help COMMAND` explains one."
    question = call.question
    return said if question.carried or question.user or question.private else f"{said}\n{_GUEST}"


@command("ping")
def ping(call: Call) -> str | None:
    """Tell that I am here.

    >>> ping
    pong
    """
    return None if call.args else "pong"


COMMANDS = (help_, ping)
