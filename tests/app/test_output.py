"""Log lines that cannot be written, and lines that repeat (bridge.app.output)."""

import os
import threading
import time
from pathlib import Path

import pytest

from bridge.app.output import Output, Repeats

_PATIENCE_S = 10.0


def test_log_lines_arrive_in_order(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream:
        output = Output(stream)
        for number in range(1000):
            output.write(f"{number}\n")
        output.drain(_PATIENCE_S)
    assert (tmp_path / "log").read_text() == "".join(f"{number}\n" for number in range(1000))


def test_a_full_disk_costs_lines_and_nothing_else() -> None:
    with Path("/dev/full").open("w") as stream:
        output = Output(stream)
        for _ in range(10):
            output.write("quack\n")
        output.drain(_PATIENCE_S)
        assert output._lost == 10


def test_a_pipe_whose_reader_is_gone_costs_lines_and_nothing_else() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        output = Output(stream)
        output.write("quack\n")
        output.drain(_PATIENCE_S)
        assert output._lost == 1


def test_a_pipe_that_is_not_read_does_not_block_and_lost_lines_are_counted_once_it_is_read() -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream:
        output = Output(stream)
        for _ in range(5000):  # more than the pipe and the queue hold
            output.write("x" * 99 + "\n")
        output.drain(0.0)
        read: list[bytes] = []
        reading = threading.Thread(target=lambda: read.extend(iter(lambda: os.read(reader, 65536), b"")))
        reading.start()
        output.drain(_PATIENCE_S)
        output.write("the end\n")
        output.drain(_PATIENCE_S)
    reading.join(_PATIENCE_S)
    os.close(reader)
    lines = b"".join(read).decode().splitlines()
    lost = [line for line in lines if "log_lines_lost" in line]
    assert len(lost) >= 1
    assert sum(int(line.split('"lines": ')[1].split(",")[0]) for line in lost) + len(lines) - len(lost) == 5001
    assert lines[-1] == "the end"


def test_more_than_30_lines_of_one_kind_in_a_minute_are_counted_instead_of_shown() -> None:
    now = time.monotonic()
    repeats = Repeats(lambda: now)
    assert [repeats.fold("a") for _ in range(30)] == [0] * 30
    assert [repeats.fold("a") for _ in range(1000)] == [None] * 1000
    assert repeats.fold("b") == 0
    now += 60.0
    assert repeats.fold("a") == 1000
    assert repeats.fold("a") == 0


@pytest.mark.parametrize("kinds", [10_000])
def test_at_most_500_kinds_of_lines_are_remembered(kinds: int) -> None:
    repeats = Repeats(lambda: 0.0)
    for number in range(kinds):
        repeats.fold(number)
    assert len(repeats._kinds) == 500
