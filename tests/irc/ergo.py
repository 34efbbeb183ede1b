"""A scripted Ergo: multiline batches and RELAYMSG, which no server of Debian has, as irctest shows them."""

from collections.abc import Iterator

from tests.irc.ircv3 import OFFERED, US, Ircv3

_CAPS = f"{OFFERED} draft/multiline=max-bytes=4096,max-lines={{}} draft/relaymsg=/"
_NEVER_IN_A_NICK = "!@+%&#$:'\"?*,. "


class Ergo(Ircv3):
    """`op`: we are a channel operator, who may relay. `said` is what people with multiline see, by author. `offers` and
    `takes` are the most lines of a message that it says and means."""

    def __init__(self, *, op: bool = False, offers: int = 32, takes: int = 32) -> None:
        super().__init__(_CAPS.format(offers), op=op)
        self.said: list[tuple[str, str]] = []
        self._takes = takes
        self._batch, self._target, self._lines = "", "", list[str]()
        self._tags: dict[str, str] = {}

    def _answers(self, line: str) -> tuple[str, ...]:
        """A batch is answered when it ends, with the label of its beginning at the beginning of the echo."""
        words, tags = line.split(" "), dict[str, str]()
        if words[0].startswith("@"):
            tags = dict(tag.partition("=")[::2] for tag in words.pop(0)[1:].split(";"))
        match words:
            case ["BATCH", reference, "draft/multiline", target]:
                self._batch, self._target, self._lines, self._tags = reference[1:], target, [], tags
                return ()
            case ["BATCH", reference] if reference == f"-{self._batch}":
                return tuple(self._ended())
            case ["BATCH", *_]:
                return (":irc FAIL BATCH MULTILINE_INVALID :Invalid multiline batch",)
            case ["PRIVMSG", _, *text] if "batch" in tags:
                return tuple(self._part(" ".join(text).removeprefix(":"), tags))
        return super()._answers(line)

    def _part(self, text: str, tags: dict[str, str]) -> Iterator[str]:
        joined = "draft/multiline-concat" in tags
        if tags["batch"] != self._batch or (joined and not text):
            yield ":irc FAIL BATCH MULTILINE_INVALID :Invalid multiline batch"
        elif len(self._lines) == self._takes:
            self._batch = ""
            yield f":irc FAIL BATCH MULTILINE_MAX_LINES {self._takes} :Multiline batch max-lines exceeded"
        else:
            self._lines.append(f"{'+' if joined else ' '}{text}")

    def _ended(self) -> Iterator[str]:
        self._batch = ""
        whole = "".join(each[1:] if each[0] == "+" else f"\n{each[1:]}" for each in self._lines)[1:]
        self.said.append(("duck", whole))
        tags = ";".join(f"{key}={value}" for key, value in self._tags.items())
        yield f"@{tags};msgid={self._new('duck')} :{US} BATCH +77 draft/multiline {self._target}"
        for each in self._lines:
            joined = ";draft/multiline-concat" if each[0] == "+" else ""
            yield f"@batch=77{joined} :{US} PRIVMSG {self._target} :{each[1:]}"
        yield ":irc BATCH -77"

    def _handle(self, line: str, tags: dict[str, str]) -> Iterator[str]:
        match line.split(" ", 3):
            case ["RELAYMSG", _, nick, _] if "/" not in nick or any(sign in nick for sign in _NEVER_IN_A_NICK):
                yield ":irc FAIL RELAYMSG INVALID_NICK :Invalid nickname"
            case ["RELAYMSG", *_] if not self.op:
                yield ":irc FAIL RELAYMSG PRIVS_NEEDED :Only channel operators may do that"
            case ["RELAYMSG", name, nick, text]:
                self.said.append((nick, text.removeprefix(":")))
                shown = "".join(f";{key}={value}" for key, value in tags.items() if key.startswith("+"))
                given = f"msgid={self._new('duck')};draft/relaymsg=duck{shown}"
                yield f"@{given} :{nick}!r@irc PRIVMSG {name} :{text.removeprefix(':')}"
            case ["PRIVMSG", _, *text]:
                self.said.append(("duck", " ".join(text).removeprefix(":")))
                yield from super()._handle(line, tags)
            case _:
                yield from super()._handle(line, tags)
