"""What the commands of one bot share: its settings, and what they remember."""

from collections.abc import Mapping
from dataclasses import dataclass

from bots.commands.command import Command
from bots.commands.reminding import Reminders
from bots.commands.scores import Scores
from bots.commands.sightings import Sightings
from bots.commands.slips import Slips
from bots.commands.votes import Votes
from bots.commands.whereabouts import Whereabouts


@dataclass(frozen=True, slots=True)
class State:
    """`known`: the commands by each of their names. `weather`, `titles`: addresses, '' if off."""

    prefix: str
    known: Mapping[str, Command]
    whereabouts: Whereabouts
    reminders: Reminders
    sightings: Sightings
    slips: Slips
    votes: Votes
    scores: Scores
    weather: str = ""
    titles: str = ""
