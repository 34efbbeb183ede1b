"""Catching up on IRC: history is heard once and in order, and its senders need proof."""

import asyncio
import random

import pytest

from bridge.irc.effects import CaughtUp, Failed, Joined, Proved
from bridge.irc.hearing.cursor import Cursor, Position
from bridge.irc.lanes import Lanes
from bridge.irc.session.proof import ID_TAG
from bridge.irc.session.session import Session
from bridge.model.event import Origin, Room
from bridge.model.people import Identity, Proof
from bridge.model.text import plain
from bridge.network import InDoubt, TransientError
from tests.irc.test_session import ALL, POND, Talk

T0 = 1795392000.0
"""2026-11-23T00:00:00Z, the time of m0, the last line that we have heard."""
WAS = Cursor({POND.id: Position(T0, "m0", T0 + 5)})
_SUPPORTS = "CASEMAPPING=ascii PREFIX=(ov)@+ CHANTYPES=# CHANMODES=b,k,Hl,imnpst WHOX"


def at(second: int) -> str:
    return f"2026-11-23T00:{second // 60:02}:{second % 60:02}.000Z"


def old(msgid: str, second: int, who: str = "bob!u@h", text: str | None = None, tags: str = "") -> str:
    return f"@time={at(second)};msgid={msgid};batch=1{tags} :{who} PRIVMSG #pond :{text or msgid}"


class Return(Talk):
    """A reconnect to a channel that we were in: `comes` is our JOIN with what the server says until the fence."""

    def __init__(self, cursor: Cursor = WAS, caps: str = ALL, supports: str = _SUPPORTS, trust: bool = False) -> None:
        super().__init__(trust_hostmasks=trust)
        self.cursor = cursor
        self.session = Session(
            self.settings, (POND,), origin="o", now=0.0, rng=random.Random(1), cursor=lambda: self.cursor
        )
        self._take(self.session.start())
        self.hears(f":irc CAP * LS :{caps}")
        asked = self.written()[-1].removeprefix("CAP REQ :").removeprefix("CAP REQ ")
        self.hears(f":irc CAP * ACK :{asked}")
        self.hears(f"@time={at(60)} :irc 001 duck :Welcome", f":irc 005 duck {supports} :ok", ":irc 376 duck :end")

    def comes(self, *lines: str) -> list[str]:
        return self.hears(f"@time={at(60)} :duck!~quack@host JOIN #pond", ":irc 353 duck = #pond :@bob duck", *lines)

    def batch(self, *lines: str) -> list[str]:
        return self.comes(":irc BATCH +1 chathistory #pond", *lines, ":irc BATCH -1")

    def fence(self) -> list[str]:
        return self.hears(":irc PONG irc history")

    def who(self, *people: str) -> None:
        """The answer to WHO: `nick user host account`."""
        rows = [person.split() for person in people]
        self.hears(*(f":irc 354 duck 271 #pond {u} {h} {n} H {a}" for n, u, h, a in rows), ":irc 315 duck #pond :end")

    def whois(self, nick: str, account: str, since: float | None = T0 - 3600) -> None:
        """The answer to WHOIS, whose user and host are u and h."""
        self.hears(f":irc 311 duck {nick} u h * :x", f":irc 330 duck {nick} {account} :is logged in as")
        if since is not None:
            self.hears(f":irc 317 duck {nick} 5 {since:.0f} :seconds idle, signon time")
        self.hears(f":irc 318 duck {nick} :end")

    @property
    def words(self) -> list[str]:
        return [plain(message.text) for message in self.heard]


def test_history_from_our_absence_is_heard_once_and_before_new_messages() -> None:
    talk = Return()
    talk.batch(old("m9", 0), old("m0", 0), old("m1", 10, tags=";account=Bob"), old("m2", 20, tags=";account=Bob"))
    talk.hears(f"@time={at(61)};msgid=m3;account=Bob :bob!u@h PRIVMSG #pond :m3")
    assert talk.words == []
    talk.fence()
    assert talk.words == ["m1", "m2", "m3"]
    assert [(message.origin is Origin.REPLAYED) for message in talk.heard] == [True, True, False]
    assert all(message.sender.proofs == (Identity(Proof.IRC, "net", "Bob"),) for message in talk.heard)
    assert talk.of(CaughtUp) == [CaughtUp(POND, T0 + 60, None)]


def test_history_of_the_second_in_which_we_left_is_heard_if_it_lacks_our_last_line() -> None:
    talk = Return(Cursor({POND.id: Position(T0 + 0.5, "gone", T0)}))
    talk.batch(old("m1", 0, tags=";account=B"))
    talk.fence()
    assert "m1" in talk.words


def test_a_history_line_without_account_gets_one_only_if_the_same_mask_is_in_the_channel_now() -> None:
    talk = Return()
    talk.batch(old("m0", 0), old("m1", 1), old("m2", 2, "bob!u@elsewhere"), old("m3", 3, "eve!u@h"))
    assert talk.fence() == []  # WHO was asked when we joined
    assert talk.words == []
    talk.who("bob u h Bob", "al u h Al")
    assert talk.written()[-1] == "WHOIS bob bob"
    talk.whois("bob", "Bob")
    proofs = [message.sender.proofs for message in talk.heard]
    assert proofs == [(Identity(Proof.IRC, "net", "Bob"),), (), ()]
    assert [message.sender.connection for message in talk.heard] == ["", "", ""]


@pytest.mark.parametrize("since", [None, T0 + 11, T0 + 10])
def test_a_history_line_without_account_is_nobodys_if_its_sender_connected_later(since: float | None) -> None:
    """Somebody else may have had the nick, user and host then: in the second of the sign-on too."""
    talk = Return()
    talk.batch(old("m0", 0), old("m1", 10), old("m2", 10), old("m3", 12))
    talk.fence()
    talk.who("bob u h Bob")
    talk.whois("bob", "Bob", since)
    assert talk.words == ["m1", "m2", "m3"]
    proven = [bool(message.sender.proofs) for message in talk.heard]
    assert proven == [False, False, since is not None]
    assert len([line for line in talk.written() if line.startswith("WHOIS")]) == 1


def test_an_account_tag_in_history_proves_the_account_of_then() -> None:
    talk = Return()
    talk.batch(old("m0", 0), old("m1", 1, tags=";account=Bob"), old("m2", 2, "eve!u@h", tags=";account=Eve"))
    talk.fence()
    assert [message.sender.proofs[0].value for message in talk.heard] == ["Bob", "Eve"]
    assert not [line for line in talk.written() if line.startswith("WHOIS")]


def test_a_host_mask_in_history_is_a_proof_only_if_it_is_in_the_channel_now() -> None:
    talk = Return(trust=True)
    talk.batch(old("m0", 0), old("m1", 1), old("m2", 2, "eve!u@h"))
    talk.fence()
    talk.who("bob u h 0")
    assert [len(message.sender.proofs) for message in talk.heard] == [1, 0]


def test_history_from_before_our_first_join_is_not_heard() -> None:
    talk = Return(Cursor({}))
    talk.batch(old("m1", 10, tags=";account=Bob"))
    talk.fence()
    assert talk.words == []
    assert talk.of(CaughtUp) == [CaughtUp(POND, T0 + 60, None)]


def test_without_history_the_time_since_we_left_is_a_gap() -> None:
    talk = Return()
    assert talk.comes() == ["WHO #pond %tcuhnfar,271", "MODE #Pond", "PING history"]
    talk.fence()
    assert talk.of(CaughtUp) == [CaughtUp(POND, T0 + 60, T0 + 5)]


@pytest.mark.parametrize(("kept", "since"), [("500:1h", None), ("500:30s", T0 + 5), ("1:1h", T0 + 5)])
def test_a_history_without_our_last_line_is_complete_only_if_the_channel_keeps_enough_of_it(
    kept: str, since: float | None
) -> None:
    talk = Return()
    talk.comes(
        ":irc BATCH +1 chathistory #pond",
        old("m1", 30, tags=";account=Bob"),
        ":irc BATCH -1",
        f":irc 324 duck #pond +Hnt {kept}",
    )
    talk.fence()
    assert talk.words == ["m1"]
    assert talk.of(CaughtUp) == [CaughtUp(POND, T0 + 60, since)]


def test_our_own_posts_are_recognised_in_history_and_cannot_be_forged() -> None:
    talk = Return()
    mine = f"@time={at(7)};msgid=s1;batch=1;{ID_TAG}=p1 :duck!~quack@host PRIVMSG #pond :<Ann> hi"
    forged = f"@time={at(8)};msgid=s2;batch=1;{ID_TAG}=p2 :duck!~quack@elsewhere PRIVMSG #pond :<Ann> hi"
    talk.batch(old("m0", 0), mine, forged)
    assert not talk.session.may_speak("#pond")
    assert talk.of(Joined) == []
    talk.fence()
    assert talk.of(Joined) == [Joined(POND)]
    assert talk.session.may_speak("#pond")
    assert talk.session.history.ours("p1") == "s1"
    assert talk.session.history.ours("p2") is None
    assert talk.session.history.remembers(POND)


def test_what_an_earlier_connection_has_said_under_another_nick_is_ours_by_its_tag() -> None:
    """Else it would be carried back as a stranger's words."""
    talk = Return()
    tagged = f"@time={at(7)};msgid=s1;batch=1;{ID_TAG}=p1 :duck_!~quack@host PRIVMSG #pond :<Ann> hi"
    talk.batch(old("m0", 0), tagged, old("s2", 8, "duck_!~quack@host", "hello"))
    talk.fence()
    talk.who("bob u h bob")
    assert talk.session.history.ours("p1") == "s1"
    assert talk.words == ["hello"]


@pytest.mark.parametrize(
    ("mode", "shows"), [("+nt", False), ("+Hnt 50:1d", True), ("+Hnt 5:1d", False), ("+Hnt 50:9m", False)]
)
@pytest.mark.parametrize("first", [True, False])
def test_a_post_will_be_shown_again_where_the_server_says_that_it_keeps_enough(
    mode: str, shows: bool, first: bool
) -> None:
    talk = Return(Cursor({})) if first else Return()
    talk.comes(f":irc 324 duck #pond {mode}", f":irc 329 duck #pond {int(T0) - 9000}")
    talk.fence()
    assert talk.session.history.shows(POND) is shows


def test_a_post_will_be_shown_again_where_what_we_had_heard_was_shown() -> None:
    talk = Return()
    talk.batch(old("m0", 0), old("m1", 30, tags=";account=Bob"))
    talk.fence()
    assert talk.session.history.shows(POND)
    talk.hears(":bob!u@h KICK #pond duck")
    assert not talk.session.history.shows(POND)


def test_a_server_with_chathistory_is_asked_page_by_page() -> None:
    talk = Return(caps=f"{ALL} draft/chathistory", supports=f"{_SUPPORTS} CHATHISTORY=2")
    assert talk.comes() == ["WHO #pond %tcuhnfar,271", "MODE #Pond", "PING history"]
    assert talk.fence() == ["CHATHISTORY AFTER #Pond timestamp=2026-11-22T23:59:00.000Z 2"]
    page = (":irc BATCH +1 chathistory #pond", old("m0", 0), old("m1", 1, tags=";account=Bob"))
    assert talk.hears(*page, ":irc BATCH -1") == ["CHATHISTORY AFTER #Pond msgid=m1 2"]
    page = (":irc BATCH +1 chathistory #pond", old("m2", 2, tags=";account=Bob"), old("m3", 3, tags=";account=Bob"))
    assert talk.hears(*page, ":irc BATCH -1") == ["CHATHISTORY AFTER #Pond msgid=m3 2"]
    page = (":irc BATCH +1 chathistory #pond", old("m4", 4, tags=";account=Bob"), ":irc BATCH -1")
    assert talk.hears(*page) == ["CHATHISTORY AFTER #Pond msgid=m4 2"], "a page may lack what we may not see"
    talk.hears(":irc BATCH +1 chathistory #pond", ":irc BATCH -1")
    assert talk.words == ["m1", "m2", "m3", "m4"]
    assert talk.of(CaughtUp) == [CaughtUp(POND, T0 + 60, None)]


def test_after_a_kick_history_is_heard_from_our_last_line_on() -> None:
    talk = Return(Cursor({}))
    talk.comes()
    talk.fence()
    talk.cursor = Cursor({POND.id: Position(T0 + 60, "m1", T0 + 100)})
    talk.hears(":op!o@h KICK #pond duck :out")
    talk.hears(f"@time={at(200)} :duck!~quack@host JOIN #pond", ":irc BATCH +2 chathistory #pond")
    talk.hears(f"@time={at(60)};msgid=m1;batch=2;account=Bob :bob!u@h PRIVMSG #pond :m1")
    talk.hears(f"@time={at(150)};msgid=m2;batch=2;account=Bob :bob!u@h PRIVMSG #pond :m2", ":irc BATCH -2")
    talk.fence()
    assert talk.words == ["m2"]
    assert talk.of(CaughtUp)[-1] == CaughtUp(POND, T0 + 200, None)


def test_a_live_message_with_an_old_time_is_not_taken_for_history() -> None:
    talk = Talk().welcomed(ALL)
    talk.hears("@time=2001-01-01T00:00:00.000Z;msgid=m1;account=Bob :bob!u@h PRIVMSG #pond :hi")
    assert [(plain(each.text), (each.origin is Origin.REPLAYED)) for each in talk.heard] == [("hi", False)]


def test_a_failed_history_request_is_a_gap_and_we_may_speak() -> None:
    talk = Return(caps=f"{ALL} draft/chathistory")
    talk.comes()
    talk.fence()
    talk.hears(":irc FAIL CHATHISTORY MESSAGE_ERROR AFTER #pond :Messages could not be retrieved")
    assert talk.of(CaughtUp) == [CaughtUp(POND, T0 + 60, T0 + 5)]
    assert talk.session.may_speak("#pond")


def test_new_messages_are_heard_after_35_seconds_though_the_server_never_answers_our_ping() -> None:
    talk = Return()
    talk.comes()
    talk.hears(f"@time={at(61)};msgid=m1;account=Bob :bob!u@h PRIVMSG #pond :m1")
    talk.passes(35)
    assert talk.words == ["m1"]


def test_a_bouncers_replay_without_a_batch_is_recognised_by_its_time() -> None:
    talk = Return()
    talk.comes("@time=2026-11-22T23:00:00.000Z;msgid=m7;account=Bob :bob!u@h PRIVMSG #pond :long ago")
    talk.fence()
    assert talk.words == []
    talk = Return(Cursor({POND.id: Position(T0 - 9000, "", T0 - 9000)}))
    talk.comes()
    talk.fence()
    talk.hears("@time=2026-11-22T23:00:00.000Z;msgid=m7;account=Bob :bob!u@h PRIVMSG #pond :missed")
    assert [(plain(message.text), (message.origin is Origin.REPLAYED)) for message in talk.heard] == [("missed", True)]


def test_history_lines_without_ids_get_the_same_distinct_ids_each_time() -> None:
    def ids(talk: Return, *lines: str) -> list[str]:
        talk.batch(*(f"@time={at(9)};batch=1 :bob!u@h PRIVMSG #pond :{text}" for text in lines))
        talk.fence()
        talk.who("bob u h Bob")
        talk.whois("bob", "Bob")
        return [message.id for message in talk.heard]

    first, again = ids(Return(), "a", "a", "b"), ids(Return(), "a", "a", "b")
    assert first == again
    assert len({*first}) == 3


async def test_posts_of_a_room_take_turns_and_none_overtakes_one_that_failed() -> None:
    lanes, room, order = Lanes(), Room("net", "#pond"), list[str]()

    async def post(name: str, error: Exception | None = None) -> None:
        async with lanes.turn(room) as turn:
            await asyncio.sleep(0)
            order.append(name)
            if error is None:
                turn.go_on()
                await asyncio.sleep(0)
            else:
                raise error

    first, second, third = await asyncio.gather(
        post("1"), post("2", TransientError("no")), post("3"), return_exceptions=True
    )
    assert order == ["1", "2"]
    assert first is None
    assert isinstance(second, TransientError)
    assert isinstance(third, TransientError)
    await post("4")
    assert await asyncio.gather(post("5", InDoubt("?", resend=True)), post("6"), return_exceptions=True)
    assert order == ["1", "2", "4", "5"]


def test_live_messages_and_echoes_count_though_the_servers_clock_goes_back() -> None:
    """The echo of a post proves it, whatever its time."""
    talk = Return(Cursor({}))
    talk.comes()
    talk.fence()
    talk.hears("@time=2026-11-22T23:00:00.000Z;msgid=m1;account=Bob :bob!u@h PRIVMSG #pond :hour ago?")
    assert talk.words == ["hour ago?"]
    talk.says("p1")
    talk.hears(f"@time=2026-11-22T23:00:01.000Z;msgid=s1;label=p1;{ID_TAG}=p1 :duck!~quack@host PRIVMSG #pond :hi")
    assert talk.of(Proved) == [Proved("p1", "s1")]


def test_history_is_heard_in_the_servers_order_though_its_clock_went_back() -> None:
    talk = Return()
    back = "@time=2026-11-22T23:00:00.000Z;msgid={};batch=1;account=B :bob!u@h PRIVMSG #pond :{}"
    talk.batch(old("m9", 0), old("m0", 0), back.format("m1", "set back"), old("m2", 3, tags=";account=B"))
    talk.fence()
    assert talk.words == ["set back", "m2"]
    assert talk.of(CaughtUp) == [CaughtUp(POND, T0 + 60, None)]


def test_history_since_we_left_is_heard_though_our_last_line_has_a_later_time() -> None:
    talk = Return(Cursor({POND.id: Position(T0 + 3600, "gone", T0 + 5)}))
    talk.batch(old("m1", 3, tags=";account=B"), old("m2", 10, tags=";account=B"))
    talk.fence()
    assert talk.words == ["m2"]


def test_an_empty_history_is_a_gap_if_the_channel_was_created_since_we_left() -> None:
    """The server restarted, or everybody left: an empty history does not prove that nothing was said."""
    for created, since in ((int(T0) - 9, None), (int(T0) + 9, T0 + 5)):
        talk = Return()
        talk.comes(":irc 324 duck #pond +Hnt 500:1h", f":irc 329 duck #pond {created}")
        talk.fence()
        assert talk.of(CaughtUp) == [CaughtUp(POND, T0 + 60, since)]
        assert talk.session.history.remembers(POND) is (since is None)


def run_of(created: str) -> str:
    """How a cursor names the run of a server whose greeting has this creation date."""
    talk = Return(Cursor({}))
    talk.hears(f":irc 003 duck :This server was created {created}")
    talk.comes()
    talk.fence()
    return talk.of(CaughtUp)[0].server


@pytest.mark.parametrize("caps", [ALL, f"{ALL} draft/chathistory"])
def test_an_empty_history_is_a_gap_after_a_server_restart_though_the_channel_is_old(caps: str) -> None:
    """Services restore the creation time of a channel after a restart."""
    for created, since in (("today", None), ("just now", T0 + 5)):
        talk = Return(Cursor({POND.id: Position(T0, "m0", T0 + 5, run_of("today"))}), caps=caps)
        talk.hears(f":irc 003 duck :This server was created {created}")
        talk.comes(":irc 324 duck #pond +Hnt 500:1h", f":irc 329 duck #pond {int(T0) - 9000}")
        talk.fence()
        talk.hears(":irc BATCH +1 chathistory #pond", ":irc BATCH -1")
        assert talk.of(CaughtUp) == [CaughtUp(POND, T0 + 60, since, run_of(created))]
        assert talk.session.history.remembers(POND) is (since is None)


def test_a_history_that_contains_our_last_line_leaves_no_gap_after_a_server_restart() -> None:
    talk = Return(Cursor({POND.id: Position(T0, "m0", T0 + 5, run_of("today"))}))
    talk.hears(":irc 003 duck :This server was created just now")
    talk.batch(old("m0", 0), old("m1", 10, tags=";account=Bob"))
    talk.fence()
    assert talk.of(CaughtUp)[0].since is None


def test_a_bouncers_own_words_are_no_message_and_its_report_of_a_lost_line_fails_the_post_for_now() -> None:
    talk = Talk().welcomed()
    talk.says("p1")
    talk.hears(":*status!znc@znc.in PRIVMSG duck :Disconnected from IRC. Reconnecting...")
    assert talk.of(Failed) == []
    talk.hears(":*status!znc@znc.in PRIVMSG duck :Your message to #Pond got lost, you are not connected to IRC!")
    (failed,) = talk.of(Failed)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, TransientError)
    assert talk.heard == []
