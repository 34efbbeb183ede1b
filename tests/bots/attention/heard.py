"""Messages and bots for the tests of attention."""

from collections.abc import Callable
from itertools import count

from bots.attention import Act, Attention, Decision, Heard, Manners

NOW = 1_800_000_000.0
"""Friday, 2027-01-15, 08:00 UTC."""
_ids = count()


def heard(text: str = "what is a duck?", now: float = NOW, **more: object) -> Heard:
    """A message of the member alice in libera/#pond, with an id of its own."""
    given = {"id": f"q{next(_ids)}", "room": "libera/#pond", "who": "alice", "member": True, "time": now, **more}
    return Heard(text=text, **given)  # type: ignore[arg-type]


def attention(chance: Callable[[], float] = lambda: 0.999, **manners: object) -> Attention:
    """The attention of a bot called duck."""
    return Attention(Manners(**{"names": ("duck",), **manners}), chance)  # type: ignore[arg-type]


def hear(bot: Attention, text: str = "what is a duck?", now: float = NOW, **more: object) -> Decision:
    """What the bot decides about a message now; what it says is sent at once."""
    message = heard(text, now, **more)
    decision = bot.decide(message, now)
    if decision.act in {Act.ANSWER, Act.SAY}:
        assert bot.may_send(message, decision, now)
        bot.answered(message, decision, now)
    return decision
