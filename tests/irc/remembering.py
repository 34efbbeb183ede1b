"""A server that remembers what was said in #pond, and answers CHATHISTORY as the servers of this world do."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bridge.irc.wire.line import parse
from tests.irc.test_history import Return


@dataclass(frozen=True, slots=True)
class Said:
    """One line in the channel: who says what at which time (seconds since the epoch), under which id ('' for none)."""

    text: str
    time: float
    msgid: str = ""
    who: str = "bob!u@h"

    @property
    def stamp(self) -> str:
        there = datetime.fromtimestamp(self.time, UTC)
        return there.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def line(self, batch: str = "") -> str:
        tags = [f"time={self.stamp}", "account=Bob", *([f"msgid={self.msgid}"] if self.msgid else [])]
        return f"@{';'.join([*tags, *([f'batch={batch}'] if batch else [])])} :{self.who} PRIVMSG #pond :{self.text}"


@dataclass
class Remembering:
    """The server's answers. `knows` are the references that it takes, `commands` the subcommands, `limit` the most
    lines in a page; `said` is in order. `asked` has all requests."""

    said: list[Said]
    knows: Sequence[str] = ("timestamp", "msgid")
    commands: Sequence[str] = ("AFTER", "BEFORE", "LATEST")
    limit: int = 100
    asked: list[str] = field(default_factory=list)

    def answer(self, request: str) -> list[str]:
        self.asked.append(request)
        line = parse(request)
        assert line is not None
        command, reference, limit = line.param(0), line.param(2), min(int(line.param(3)), self.limit)
        if command not in self.commands:
            return [f":irc FAIL CHATHISTORY INVALID_PARAMS {command} :Unknown command"]
        if reference == "*":
            return self.page(self.said[-limit:])
        kind, _, value = reference.partition("=")
        if kind not in self.knows:
            return [f":irc FAIL CHATHISTORY INVALID_MSGREFTYPE {command} #pond :no such references"]
        if kind == "msgid":
            ids = [each.msgid for each in self.said]
            if value not in ids:
                return [f":irc FAIL CHATHISTORY MESSAGE_ERROR {command} #pond {value} :Messages could not be retrieved"]
            after, before = self.said[ids.index(value) + 1 :], self.said[: ids.index(value)]
        else:
            after = [each for each in self.said if each.stamp > value]
            before = [each for each in self.said if each.stamp < value]
        return self.page(after[:limit] if command == "AFTER" else before[-limit:])

    def page(self, lines: Sequence[Said]) -> list[str]:
        return [":irc BATCH +9 chathistory #pond", *(each.line("9") for each in lines), ":irc BATCH -9"]

    def serve(self, talk: Return, *, most: int = 1000) -> None:
        """Answer all that `talk` asks for until it has caught up, from when the fence is passed on."""
        written = talk.fence()
        for _ in range(most):
            requests = [line for line in written if line.startswith("CHATHISTORY")]
            if not requests:
                return
            (request,) = requests
            written = talk.hears(*self.answer(request))
        raise AssertionError(f"after {most} pages there is no end")
