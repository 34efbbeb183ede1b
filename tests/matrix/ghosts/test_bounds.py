"""What many ghosts cost, and how fast they come."""

import asyncio
from pathlib import Path

from bridge.matrix.dialect.operations import Move
from tests.footprint import footprint
from tests.matrix.ghosts.house import Pond, face, person
from tests.simulation.test_simulation import silenced

_MANY = 1_000
_MOST = 3_000
"""Bytes of a ghost in Python, all together."""
_AT_ONCE, _PER_SECOND = 5, 2.0


async def test_each_of_many_ghosts_that_have_spoken_takes_little_memory(tmp_path: Path) -> None:
    pond = Pond(tmp_path)
    with silenced():
        async with pond.runs() as run:
            await run.say(person("first"), "hi")
            with footprint() as taken:
                for number in range(_MANY):
                    await run.say(person(f"somebody{number}", host=f"user@host{number}.example"), "hi")
                    pond.house.asked.clear()
                    pond.house.events.clear()
                assert sum(each.made for each in run.faces._ghosts) == _MANY + 1
                assert taken() / _MANY < _MOST


async def test_a_crowd_of_300_that_joins_at_once_comes_one_after_the_other(tmp_path: Path) -> None:
    """Of more than a few dozen at once, the others come when they speak."""
    pond = Pond(tmp_path)
    came: list[float] = []
    with silenced():
        async with pond.runs() as run:
            now = asyncio.get_running_loop().time
            began = now()
            crowd = [person(f"p{number}") for number in range(300)]
            await run.faces.move(run.joined, [Move("came", "", face(each)) for each in crowd])
            for _ in range(600):
                there = sum(how == "join" for how, _ in pond.house.members.values()) - 1
                came += [now() - began] * (there - len(came))
                await asyncio.sleep(0.1)
    assert len(came) >= 50
    for place, at in enumerate(came):
        assert place < _AT_ONCE + _PER_SECOND * at + 1
