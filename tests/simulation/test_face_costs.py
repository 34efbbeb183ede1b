"""One event is one commit, whether a puppet says it or the bridge with the mark."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bridge.irc.puppets.connection import PuppetConnection
from tests.simulation import loop
from tests.simulation.faces.checker import complaints
from tests.simulation.faces.ircd import Features
from tests.simulation.faces.puppets import PuppetWorld
from tests.simulation.faces.troubled import Fault
from tests.simulation.store import SimulatedWriter
from tests.simulation.test_simulation import silenced


class _Quiet(PuppetWorld):
    """Nothing goes wrong."""

    def __init__(self, *, puppets: bool) -> None:
        super().__init__(1)
        self.features = Features(tags=True, echo=True, labels=False, history="pages", whox=True)
        self.limit, self.every = 30, 0
        shown = replace(self.links[0].presentation, puppets=puppets)
        self.links = tuple(replace(link, presentation=shown) for link in self.links)

    def faults(self) -> Sequence[Fault]:
        return ()

    async def _harm(self) -> None:
        """Not here."""


def _transactions(monkeypatch: pytest.MonkeyPatch, *, puppets: bool) -> tuple[int, int]:
    """How many that write something a world takes, and how many lines puppets have said in it."""
    counted, lines = [0], [0]
    transacted, say = SimulatedWriter._transacted, PuppetConnection.say

    def counting(writer: SimulatedWriter, verb: object) -> object:
        before = writer._sql.total_changes
        done = transacted(writer, verb)  # type: ignore[arg-type]
        counted[0] += writer._sql.total_changes > before
        return done

    def saying(connection: PuppetConnection, *said: object) -> object:
        lines[0] += 1
        return say(connection, *said)  # type: ignore[arg-type]

    with monkeypatch.context() as patched, silenced():
        patched.setattr(SimulatedWriter, "_transacted", counting)
        patched.setattr(PuppetConnection, "say", saying)
        world = _Quiet(puppets=puppets)
        loop.run(world.run())
    assert [*complaints(world)] == []
    return counted[0], lines[0]


def test_a_puppet_takes_no_more_transactions_than_the_mark_but_for_its_first_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_puppets, lines = _transactions(monkeypatch, puppets=True)
    with_marks, none = _transactions(monkeypatch, puppets=False)
    assert lines > 30
    assert none == 0
    assert with_puppets < with_marks + lines / 2  # one more for each line would be far more
