"""A scripted server with the IRCv3 features that no server of Debian has: it keeps messages with their ids and authors,
and passes replies, reactions, removals, topics and typing on to us."""

from collections.abc import Iterator
from itertools import count

from tests.irc.test_client import Ircd

OFFERED = (
    "message-tags server-time account-tag account-notify extended-join batch echo-message labeled-response"
    " draft/message-redaction"
)
US = "duck!u@h"


class Ircv3(Ircd):
    """`caps` are what it offers, `supports` is in its 005, `op`: we are an operator of its channels. `messages` are the
    authors of all that was said, by msgid."""

    def __init__(self, caps: str = OFFERED, supports: str = "", *, op: bool = False) -> None:
        super().__init__()
        self.caps = caps
        self.op = op
        self.hangs_up_on = ""
        """A command at which the connection ends, once, when it was carried out."""
        self.messages: dict[str, str] = {}
        self.topic = ""
        self.reactions: list[tuple[str, str]] = []
        self._enabled: set[str] = set()
        self._numbers = count()
        self.greeting = ()
        self._greeting = (
            ":irc 001 duck :Welcome",
            f":irc 005 duck CHANTYPES=# PREFIX=(ov)@+ CHANMODES=b,k,l,imnt TOPICLEN=80 {supports}:are supported",
            ":irc 376 duck :end",
        )

    def says(self, nick: str, text: str, tags: str = "", account: str = "") -> str:
        """Somebody says something; its msgid."""
        return self.does(nick, f"PRIVMSG #pond :{text}", tags, account)

    def does(self, nick: str, what: str, tags: str = "", account: str = "") -> str:
        """Somebody sends a command with client-only tags; its msgid."""
        msgid = self._new(nick)
        named = f";account={account}" if account else ""
        self.tell(f"@msgid={msgid}{named}{';' if tags else ''}{tags} :{nick}!u@h {what}")
        return msgid

    def _new(self, author: str) -> str:
        msgid = f"id-{next(self._numbers)}"
        self.messages[msgid] = author
        return msgid

    def _answers(self, line: str) -> tuple[str, ...]:
        tags, _, line = line[1:].partition(" ") if line.startswith("@") else ("", "", line)
        given = dict(tag.partition("=")[::2] for tag in tags.split(";") if tag)
        label = given.pop("label", "")
        answers = [*self._handle(line, given)]
        if label and not answers:
            answers = [":irc ACK"]
        if label and len(answers) > 1:
            inner = (f"@batch=b;{each[1:]}" if each.startswith("@") else f"@batch=b {each}" for each in answers)
            answers = [":irc BATCH +b labeled-response", *inner, ":irc BATCH -b"]
        if label:
            answers[0] = f"@label={label};{answers[0][1:]}" if answers[0][0] == "@" else f"@label={label} {answers[0]}"
        if self.hangs_up_on and line.startswith(self.hangs_up_on):
            self.hangs_up_on = ""
            self.hang_up()
            return ()
        return tuple(answers)

    def _handle(self, line: str, tags: dict[str, str]) -> Iterator[str]:
        match line.split(" "):
            case ["CAP", "LS", *_]:
                yield f":irc CAP * LS :{self.caps}"
            case ["CAP", "REQ", *names]:
                self._enabled = {name.lstrip(":") for name in names}
                yield f":irc CAP * ACK :{' '.join(self._enabled)}"
            case ["CAP", "END"]:
                yield from self._greeting
            case ["JOIN", name]:
                yield f":{US} JOIN {name} * :x"
                yield f":irc 353 duck = {name} :@bob al {'@' if self.op else ''}duck"
            case ["PRIVMSG" | "NOTICE" | "TAGMSG", *_]:
                yield from self._said(line, tags)
            case ["REDACT", name, msgid, *_]:
                yield self._removed(line, name, msgid)
            case ["TOPIC", name, *_]:
                yield self._topic(name, line.partition(f"{name} ")[2].removeprefix(":"))
            case _:
                yield from Ircd._answers(self, line)

    def _said(self, line: str, tags: dict[str, str]) -> Iterator[str]:
        msgid = self._new("duck")
        if "+draft/react" in tags:
            self.reactions.append((tags["+draft/reply"], tags["+draft/react"]))
        if "echo-message" in self._enabled:
            shown = "".join(f";{key}={value}" for key, value in tags.items() if key.startswith("+"))
            yield f"@msgid={msgid}{shown} :{US} {line}"

    def _removed(self, line: str, name: str, msgid: str) -> str:
        author = self.messages.get(msgid)
        if author is None:
            return f":irc FAIL REDACT UNKNOWN_MSGID {name} {msgid} :unknown"
        if author != "duck" and not self.op:
            return f":irc FAIL REDACT REDACT_FORBIDDEN {name} {msgid} :no"
        del self.messages[msgid]
        return f"@msgid={self._new('duck')} :{US} {line}"

    def _topic(self, name: str, text: str) -> str:
        if not self.op:
            return f":irc 482 duck {name} :You're not channel operator"
        self.topic = text
        return f"@msgid={self._new('duck')} :{US} TOPIC {name} :{text}"
