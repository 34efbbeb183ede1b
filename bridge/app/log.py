"""Logs: coloured lines on a terminal, one JSON object a line anywhere else; in systemd's journal, which knows the time,
with the priority before it."""

import logging
import os
import sys
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import TextIO, cast

import structlog

from bridge.app.output import Output, Repeats
from bridge.model.text import printable


def configure() -> Output | None:
    """Send our own events, and warnings of libraries, to standard error; returns what writes there, to be drained at
    the end, or None if that is not a file. Lines that repeat are folded.

    Libraries below WARNING stay silent: some of them log whole lines and responses, passwords and texts with them.
    """
    terminal, journal = sys.stderr.isatty(), _is_journal(sys.stderr, os.environ)
    output = _output(sys.stderr)
    stream: TextIO = cast("TextIO", output or sys.stderr)
    repeats = Repeats()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
    ]
    if not journal:
        shared.append(structlog.processors.TimeStamper(fmt="iso", utc=True))
    traces = structlog.processors.format_exc_info  # without the variables, which hold texts and secrets
    # JSON escapes what others have said; a terminal would obey it
    last: list[structlog.typing.Processor] = (
        [_as_words, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if terminal
        else [_as_journal if journal else structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[partial(_fold, repeats), *shared, traces, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.addFilter(lambda record: repeats.fold((record.name, record.msg)) is not None)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processors=[_without_meta, traces, *last], foreign_pre_chain=shared)
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("nio").setLevel(logging.CRITICAL)  # it logs the responses that it cannot parse, texts and all
    return output


_PRIORITIES: Mapping[str, int] = MappingProxyType({"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2})
"""The priorities of sd-daemon(3), by our levels."""


def _is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether `stream` leads to the journal (systemd.exec(5), `$JOURNAL_STREAM`)."""
    try:
        found = os.fstat(stream.fileno())
    except OSError:  # a stream of a test has no descriptor
        return False
    return environ.get("JOURNAL_STREAM", "") == f"{found.st_dev}:{found.st_ino}"


def _as_journal(logger: object, name: str, event: structlog.typing.EventDict) -> str:
    """The line as JSON, with its priority in front, which the journal takes away."""
    priority = _PRIORITIES.get(str(event.get("level")), 6)
    text = structlog.processors.JSONRenderer()(logger, name, event)
    return f"<{priority}>{text if isinstance(text, str) else text.decode()}"


def _output(stream: TextIO) -> Output | None:
    try:
        return Output(stream)
    except OSError:  # a stream of a test has no descriptor
        return None


def _fold(
    repeats: Repeats, _logger: object, _name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    # Two posts are no repetition: the log says of each what became of it
    left_out = repeats.fold(tuple(event.get(key) for key in ("event", "network", "room", "post")))
    if left_out is None:
        raise structlog.DropEvent
    if left_out:
        event["left_out"] = left_out
    return event


def _without_meta(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return structlog.stdlib.ProcessorFormatter.remove_processors_meta(_logger, _name, event)


def _as_words(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Make words of others (names, reasons, addresses) safe: none may move the cursor or begin a line."""
    words = {printable(key): _word(value) for key, value in event.items()}
    if "exception" in event:
        words["exception"] = "\n".join(map(printable, str(event["exception"]).splitlines()))
    return words


def _word(value: object) -> object:
    return value if isinstance(value, bool | int | float | None) else printable(str(value))
