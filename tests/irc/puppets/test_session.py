"""A puppet's connection, line by line."""

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.irc.effects import Write
from bridge.irc.puppets.logins import Account
from bridge.irc.puppets.session import (
    Barred,
    Closed,
    Entered,
    Hosted,
    Identified,
    Identity,
    NotSaid,
    Outcome,
    PuppetSession,
    Removed,
    Renamed,
    Taken,
    Welcomed,
    Whispered,
)
from bridge.irc.session.farewells import Farewell
from bridge.irc.wire.line import Line, Source, compose, redacted
from bridge.model.casemap import Casemapping


class Talk:
    """A session, and what came of it: what it wrote, and all else."""

    def __init__(
        self, *nicks: str, taken: Iterable[str] = (), password: str | None = None, account: Account | None = None
    ) -> None:
        identity = Identity(nicks or ("ann", "ann_", "ann-m"), "qaaaaaaaa", "@ann:hs", password, account=account)
        self.session = PuppetSession(identity, Casemapping.RFC1459, lambda nick: nick not in taken)
        self.wrote: list[str] = []
        self.told: list[Outcome] = []
        self.take(self.session.start())

    def take(self, outcomes: Iterator[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Write):
                self.wrote.append(outcome.data.decode().rstrip("\r\n"))
            else:
                self.told.append(outcome)

    def hears(self, *lines: str) -> list[Outcome]:
        """The outcomes of these lines, besides what is written."""
        before = len(self.told)
        for line in lines:
            self.take(self.session.feed(line.encode()))
        return self.told[before:]

    def online(self, nick: str = "ann") -> "Talk":
        self.hears(":irc CAP * LS :message-tags sasl", ":irc CAP * ACK :message-tags", f":irc 001 {nick} :Welcome")
        return self

    def in_pond(self) -> "Talk":
        self.take(self.session.join("#pond", ""))
        self.hears(":ann!~q@h JOIN #pond", ":irc 353 ann = #pond :ann @bob")
        return self

    def says(self, post: str = "p1") -> None:
        self.take(self.session.say(post, "#Pond", compose("PRIVMSG", "#Pond", "hi")))


def test_it_introduces_itself_and_asks_for_tags_only() -> None:
    talk = Talk(password="secret").online()
    assert talk.wrote == [
        "PASS secret",
        "CAP LS 302",
        "USER qaaaaaaaa 0 * :@ann:hs",
        "NICK ann",
        "CAP REQ message-tags",
        "CAP END",
    ]
    assert talk.told == [Welcomed("ann")]
    assert talk.session.tags


def test_a_server_lets_it_in_once_however_often_it_says_so() -> None:
    talk = Talk().online()
    assert talk.hears(":irc 001 ann :Welcome", ":irc 001 eve :Welcome") == []
    assert talk.session.nick == "ann"


def test_webirc_comes_before_everything_else_and_is_in_no_log() -> None:
    """The WebIRC specification, "Format"."""
    identity = Identity(["ann"], "q", "@ann:hs", "secret", ("word", "q", "fd71::5", "fd71::5"))
    session = PuppetSession(identity, Casemapping.RFC1459, lambda _: True)
    first, second, *_ = session.start()
    assert first == Write(b"WEBIRC word q fd71::5 fd71::5\r\n", is_secret=True)
    assert second == Write(b"PASS secret\r\n", is_secret=True)
    assert "word" not in repr(identity)
    assert redacted(b"WEBIRC word q fd71::5 fd71::5\r\n") == "WEBIRC [redacted]"


def test_a_server_without_tags_lets_it_in_as_well() -> None:
    talk = Talk()
    talk.hears(":irc CAP * LS * :sasl", ":irc CAP * LS :batch", ":irc 001 ann :Welcome")
    assert talk.wrote[-1] == "CAP END"
    assert not talk.session.tags


def test_a_taken_nick_is_followed_by_the_next_until_none_is_left() -> None:
    talk = Talk("ann", "ann_", "bob", taken={"bob"})
    assert talk.hears(":irc 433 * ann :taken") == []
    assert talk.wrote[-1] == "NICK ann_"
    (closed,) = talk.hears(":irc 433 * ann_ :taken")
    assert isinstance(closed, Closed)
    assert closed.nickless


def test_what_others_say_and_do_is_not_even_read() -> None:
    talk = Talk().online().in_pond()
    for line in (
        "@+x=1;msgid=a :bob!u@h PRIVMSG #pond :ann ann ann",
        ":bob!u@h NOTICE #pond :ann",
        ":bob!u@h JOIN #pond",
        ":bob!u@h PART #pond",
        ":bob!u@h NICK rob",
        ":bob!u@h QUIT :ann",
        "@+typing=active :bob!u@h TAGMSG #pond",
        ":irc 353 ann = #pond :ann @bob",
    ):
        assert talk.hears(line) == []


def test_it_knows_where_it_is_and_how_others_see_it() -> None:
    talk = Talk().online()
    talk.take(talk.session.join("#pond", "key"))
    assert talk.wrote[-1] == "JOIN #pond key"
    assert talk.hears("@x=1 :ANN!~q@host JOIN :#Pond") == [Hosted("host", "q"), Entered("#Pond")]
    assert talk.hears(":irc 396 ann cloak :is your host") == [Hosted("cloak")]
    assert talk.hears(":op!u@h KICK #pond ann :enough\x02\x07") == [
        Removed("#pond", "op", "enough\x02 ".replace("\x02", " "))
    ]
    assert talk.session.channels == set()


@pytest.mark.parametrize(
    ("numeric", "banned"), [("471", False), ("473", False), ("474", True), ("475", False), ("477", False)]
)
def test_a_channel_that_does_not_let_it_in_says_why(numeric: str, banned: bool) -> None:
    talk = Talk().online()
    talk.take(talk.session.join("#Pond", ""))
    assert talk.hears(f":irc {numeric} ann #pond :no") == [Barred("#pond", "no", banned)]
    assert talk.hears(f":irc {numeric} ann #pond :no") == []


def test_a_line_is_refused_or_dealt_with() -> None:
    talk = Talk().online().in_pond()
    talk.says("p1")
    assert talk.wrote[-2:] == ["PRIVMSG #Pond :hi", "PING p1"]
    assert talk.hears(":irc 404 ann #pond :Cannot send to channel") == [NotSaid("p1", "Cannot send to channel")]
    assert talk.hears(":irc PONG irc p1") == []
    talk.says("p2")
    talk.says("p3")
    assert talk.hears(":irc PONG irc :p3") == [Taken("p2"), Taken("p3")]


_CLAIM = "NOTICE ann :This nickname is registered and protected. Please identify."


def test_services_that_say_whose_nick_it_is_are_heeded_once_the_server_says_that_they_are_services() -> None:
    talk = Talk().online()
    for other in (
        ":bob!u@h NOTICE ann :This nickname is registered.",
        ":NickServ!s@s NOTICE ann :Your nickname is not registered.",
    ):
        talk.hears(other)
        assert talk.wrote[-1] == "CAP END"
    talk.hears(f":NickServ!s@s {_CLAIM}")
    assert talk.wrote[-1] == "WHOIS NickServ"
    talk.hears(":irc 311 ann NickServ s s * :Nickname services", ":irc 312 ann NickServ services.net :Services")
    assert talk.wrote[-1] == "WHOIS NickServ"
    talk.hears(":irc 318 ann NickServ :End of WHOIS")
    assert talk.wrote[-1] == "NICK ann_"
    assert talk.hears(":irc 433 ann ann_ :taken") == []
    assert talk.hears(":ann!q@h NICK :ann-m") == [Renamed("ann-m", asked=True)]
    assert talk.hears(":ann-m!q@h NICK Guest123") == [Renamed("Guest123", asked=False)]


@pytest.mark.parametrize("nick", ["NickServ", "AuthServ", "Services", "service"])
def test_a_stranger_with_a_nick_like_that_of_services_moves_no_puppet(nick: str) -> None:
    """The puppet does not ask without end: a server throws out who asks too much."""
    talk = Talk().online()
    for _ in range(100):
        talk.hears(f":{nick}!eve@services.example {_CLAIM}", ":irc 312 ann Chan services.net :Services")
        talk.hears(f":irc 312 ann {nick} irc.net :A server", f":irc 318 ann {nick} :End of WHOIS")
    assert not [line for line in talk.wrote if line.startswith("NICK") and line != "NICK ann"]
    assert talk.wrote.count(f"WHOIS {nick}") == 10


@pytest.mark.parametrize(
    ("lines", "farewell"),
    [
        ([":irc 465 ann :You are banned", "ERROR :Closing link"], Farewell.BANNED),
        (["ERROR :Closing link: (q@h) [K-lined: spam]"], Farewell.BANNED),
        (["ERROR :Trying to connect too fast"], Farewell.THROTTLED),
        ([":op!u@h KILL ann :enough"], Farewell.OTHER),
        (["ERROR :Ping timeout"], Farewell.PASSING),
    ],
)
def test_the_end_has_a_meaning(lines: list[str], farewell: Farewell) -> None:
    (closed,) = Talk().online().hears(*lines)
    assert isinstance(closed, Closed)
    assert closed.farewell is farewell


def test_somebody_who_speaks_to_it_in_private_is_noticed_and_their_client_is_not_answered() -> None:
    talk = Talk().online()
    line = Line("PRIVMSG", ("ann", "psst"), Source("bob", "u", "h"))
    assert talk.hears(":bob!u@h PRIVMSG ann :psst") == [Whispered(line, None)]
    assert talk.hears(":bob!u@h PRIVMSG ann :\x01VERSION\x01") == []
    assert talk.hears(":bob!u@h NOTICE ann :\x01PING 1\x01") == []
    assert talk.wrote[-1] == "CAP END"


def test_it_asks_who_has_a_nick() -> None:
    talk = Talk().online()
    talk.take(talk.session.whois("Bob[x]"))
    assert talk.wrote[-1] == "WHOIS Bob[x]"
    assert (
        talk.hears(":irc 311 ann eve u h * :Eve", ":irc 330 ann eve eve :is logged in as", ":irc 318 ann eve :end")
        == []
    )
    assert talk.hears(":irc 311 ann bob{X} u h * :Bob", ":irc 330 ann bob{x} bob :is logged in as") == []
    assert talk.hears(":irc 318 ann Bob[x] :end") == [Identified("Bob[x]", Source("bob{X}", "u", "h"), "bob")]
    assert talk.hears(":irc 318 ann Bob[x] :end") == []
    for answer, found in (
        (":irc 401 ann bob :No such nick", Identified("bob", None, "")),
        (":irc 263 ann WHOIS :Please wait", Identified("bob", None, "", unanswered=True)),
    ):
        talk.take(talk.session.whois("bob"))
        assert talk.hears(answer, ":irc 318 ann bob :end") == [found]


def test_it_asks_for_the_accounts_of_who_writes_to_it_where_it_can_be_told() -> None:
    talk = Talk()
    talk.hears(":irc CAP * LS * :account-tag=x sasl", ":irc CAP * LS :server-time message-tags")
    assert talk.wrote[-1] == "CAP REQ :message-tags account-tag server-time"
    talk.hears(":irc CAP * ACK :message-tags account-tag server-time", ":irc 001 ann :Welcome")
    lines = ("@account=bob :bob!u@h PRIVMSG ann :x", ":bob!u@h PRIVMSG ann :x")
    assert [each.account for each in talk.hears(*lines) if isinstance(each, Whispered)] == ["bob", ""]
    talk.hears(":irc CAP ann DEL :account-tag")
    assert [each.account for each in talk.hears(*lines) if isinstance(each, Whispered)] == [None, None]


@given(st.lists(st.text(max_size=60), max_size=10))
def test_nothing_that_a_server_sends_makes_it_raise_or_write_two_lines(lines: list[str]) -> None:
    talk = Talk().online().in_pond()
    for line in lines:
        for start in (
            "",
            ":irc ",
            ":ann!q@h ",
            ":NickServ!s@s NOTICE ann :nick is registered ",
            "PING ",
            ":irc 433 ann ann ",
        ):
            talk.hears((start + line).replace("\n", " "))
    assert not any("\n" in each or "\r" in each for each in talk.wrote)
