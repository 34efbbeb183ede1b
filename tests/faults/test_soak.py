"""The bounds of the soak test find growth of memory and files."""

import pytest

from tests.faults.soak import Sample, grown


def samples(*memory: float, file: float = 1.0, wal: float = 1.0, pid: int = 1) -> list[Sample]:
    return [Sample(float(at), value, file, wal, pid) for at, value in enumerate(memory)]


def test_memory_that_does_not_grow_passes() -> None:
    assert grown(samples(70, 75, 76, 76, 77, 76), 1000) == []


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        (samples(60, 70, 80, 90, 100, 110, 120, 130, 140), "growth of memory: 30.0 MB"),
        (samples(70, 151, 70), "memory: 151.0 MB"),
        (samples(70, 70, 70, file=4.1), "file: 4.1 MB"),
        (samples(70, 70, 70, wal=17), "WAL: 17.0 MB"),
        ([], "nothing was measured"),
    ],
)
def test_growth_of_memory_or_files_is_reported(planted: list[Sample], said: str) -> None:
    (problem,) = grown(planted, 1000)
    assert problem.startswith(said)


def test_the_memory_of_a_process_is_compared_only_with_its_own() -> None:
    assert grown([*samples(40, 40, 40), *samples(80, 80, 81, pid=2)], 1000) == []
