"""Which account a message proves, on servers that send the account with each line and on those that do not."""

import pytest

from bridge.irc.effects import Heard
from bridge.irc.hearing.people import People
from bridge.irc.wire.line import Source
from bridge.model.event import Origin, Room
from bridge.model.people import Identity, Proof
from bridge.model.text import plain
from tests.irc.test_session import Talk

_ALICE = Identity(Proof.IRC, "net", "Alice")
_WHOX = "CHANTYPES=# PREFIX=(ov)@+ CASEMAPPING=ascii WHOX"
_KNOWS = "account-notify extended-join"


def proofs(talk: Talk) -> list[tuple[str, tuple[Identity, ...]]]:
    return [(plain(each.text), each.sender.proofs) for each in talk.heard]


def test_with_account_tag_a_line_without_the_tag_proves_no_account() -> None:
    talk = Talk().welcomed(f"account-tag {_KNOWS}")
    talk.hears(":al!u@h JOIN #pond Alice :Al", "@account=Alice :al!u@h PRIVMSG #pond :1", ":al!u@h PRIVMSG #pond :2")
    assert proofs(talk) == [("1", (_ALICE,)), ("2", ())]


def test_an_account_tag_that_was_not_negotiated_proves_nothing() -> None:
    talk = Talk().welcomed()
    talk.hears(":irc 421 duck WHOIS :Unknown command", "@account=Alice :al!u@h PRIVMSG #pond :1")
    assert proofs(talk) == [("1", ())]


def test_extended_join_and_account_notify_prove_accounts_without_whois() -> None:
    talk = Talk().welcomed(_KNOWS)
    talk.hears(":al!u@h JOIN #pond Alice :Al", ":al!u@h PRIVMSG #pond :1")
    talk.hears(":al!u@h ACCOUNT *", ":al!u@h PRIVMSG #pond :2")
    talk.hears(":al!u@h ACCOUNT Alice", ":al!u@h PRIVMSG duck :3")
    talk.hears(":al!u@h NICK ali", ":ali!u@h PRIVMSG #pond :4")
    assert proofs(talk) == [("1", (_ALICE,)), ("2", ()), ("3", (_ALICE,)), ("4", (_ALICE,))]
    assert not any("WHOIS" in line for line in talk.written())


def test_with_whox_the_accounts_of_people_already_in_a_channel_are_asked_for_on_joining() -> None:
    talk = Talk().welcomed(_KNOWS, _WHOX)
    assert talk.written()[-1] == "WHO #pond %tcuhnfar,271"
    talk.hears(":irc 353 duck = #pond :@al +bob duck", ":irc 354 duck 271 #pond u h al H@ Alice")
    talk.hears(":irc 354 duck 271 #pond u h bob H 0", ":al!u@h PRIVMSG #pond :1", ":bob!u@h PRIVMSG #pond :2")
    assert proofs(talk) == [("1", (_ALICE,)), ("2", ())]


def test_channels_are_asked_about_by_who_one_after_the_other() -> None:
    rooms = (Room("net", "#a"), Room("net", "#b"), Room("net", "#c"))
    talk = Talk(rooms=rooms).welcomed("", _WHOX)
    assert talk.hears(*(f":duck!u@h JOIN {room.id}" for room in rooms)) == ["WHO #a %tcuhnfar,271"]
    assert talk.hears(":irc 315 duck #a :end") == ["WHO #b %tcuhnfar,271"]
    assert talk.hears(":irc 315 duck #b :end", ":irc 315 duck #c :end") == ["WHO #c %tcuhnfar,271"]


def test_many_unknown_speakers_at_once_cause_no_flood_of_whois() -> None:
    talk = Talk().welcomed()
    nicks = [f"n{number}" for number in range(10)]
    talk.hears(f":irc 353 duck = #pond :{' '.join(nicks)}", *(f":{nick}!u@h PRIVMSG #pond :hi" for nick in nicks))
    for nick in nicks:
        talk.hears(*answer(nick, "Alice"))
    assert sum("WHOIS" in line for line in talk.written()) == 4
    assert talk.passes(2) == ["WHOIS n4"]


def test_a_who_answer_that_we_did_not_ask_for_is_ignored() -> None:
    talk = Talk().welcomed(_KNOWS, _WHOX)
    talk.hears(":irc 353 duck = #pond :al duck", ":irc 354 duck 272 #pond u h al H Alice", ":irc 354 duck 271 al Alice")
    assert talk.hears(":al!u@h PRIVMSG #pond :1") == ["WHOIS al"]


def answer(nick: str, account: str = "", mask: str = "u h") -> list[str]:
    told = [f":irc 330 duck {nick} {account} :is logged in as"] if account else []
    return [f":irc 311 duck {nick} {mask} * :Real Name", *told, f":irc 318 duck {nick} :End of WHOIS"]


def test_lines_that_wait_for_whois_when_the_connection_is_lost_are_heard_without_proof() -> None:
    talk = Talk().welcomed()
    talk.hears(":irc 353 duck = #pond :al bob duck", ":al!u@h PRIVMSG #pond :1", ":bob!u@h PRIVMSG #pond :2")
    assert talk.heard == []
    heard = [effect.event for effect in talk.session.lost() if isinstance(effect, Heard)]
    assert [(plain(each.text), each.sender.proofs, (each.origin is Origin.REPLAYED)) for each in heard] == [
        ("1", (), True),
        ("2", (), True),
    ]
    assert talk.session.lost() == []


def test_without_account_capabilities_senders_are_asked_for_by_whois_and_lines_wait_in_order() -> None:
    talk = Talk().welcomed()
    talk.hears(":irc 353 duck = #pond :al bob duck")
    assert talk.hears(":al!u@h PRIVMSG #pond :1", ":bob!u@h PRIVMSG #pond :2", ":al!u@h PRIVMSG #pond :3") == [
        "WHOIS al"
    ]
    assert talk.heard == []
    assert talk.hears(*answer("al", "Alice")) == ["WHOIS bob"]
    assert proofs(talk) == [("1", (_ALICE,))]
    talk.hears(*answer("bob"))
    assert proofs(talk) == [("1", (_ALICE,)), ("2", ()), ("3", (_ALICE,))]


def test_without_account_notify_a_whois_answer_is_believed_for_a_minute() -> None:
    talk = Talk().welcomed()
    talk.hears(":al!u@h JOIN #pond", ":al!u@h PRIVMSG #pond :1", *answer("al", "Alice"))
    assert talk.hears(":al!u@h PRIVMSG #pond :2") == []
    for _ in range(61):
        talk.passes(1)
        talk.hears("PING x")
    assert talk.hears(":al!u@h PRIVMSG #pond :3") == ["WHOIS al"]
    talk.hears(*answer("al"))
    assert proofs(talk) == [("1", (_ALICE,)), ("2", (_ALICE,)), ("3", ())]


@pytest.mark.parametrize(
    "departure",
    [
        ":al!u@h NICK somebody",
        ":al!u@h QUIT :bye",
        ":al!u@h PART #pond",
        ":op!a@b KICK #pond al :out",
    ],
)
def test_a_nick_that_is_taken_over_before_the_whois_answer_proves_no_account(departure: str) -> None:
    """Mallory speaks as al and gives the nick up; when the server answers, the real al is back and logged in."""
    talk = Talk().welcomed()
    talk.hears(":irc 353 duck = #pond :al duck", ":al!u@h PRIVMSG #pond :spoof", departure)
    assert proofs(talk) == [("spoof", ())]
    talk.hears(":al!u@h JOIN #pond", *answer("al", "Alice"))
    assert proofs(talk) == [("spoof", ())]


@pytest.mark.parametrize("departure", [":al!u@h NICK x", ":al!u@h QUIT", ":al!u@h PART #pond", ":o!a@b KICK #pond al"])
def test_a_nick_that_is_taken_over_after_the_whois_answer_is_asked_for_again(departure: str) -> None:
    talk = Talk().welcomed()
    talk.hears(":al!u@h JOIN #pond", ":al!u@h PRIVMSG #pond :1", *answer("al", "Alice"))
    talk.hears(departure, ":al!u@h JOIN #pond")
    assert talk.hears(":al!u@h PRIVMSG #pond :2") == ["WHOIS al"]
    talk.hears(*answer("al"))
    assert proofs(talk) == [("1", (_ALICE,)), ("2", ())]


def test_a_whois_answer_that_began_before_a_nick_was_taken_over_proves_nothing_for_the_new_holder() -> None:
    talk = Talk().welcomed()
    talk.hears(":irc 353 duck = #pond :al duck", ":al!u@h PRIVMSG #pond :1", *answer("al", "Alice")[:2])
    talk.hears(":al!u@h NICK ali", ":al!u@h JOIN #pond", ":al!u@h PRIVMSG #pond :spoof")
    assert talk.hears(":irc 318 duck al :End of WHOIS") == ["WHOIS al"]
    talk.hears(*answer("al"))
    assert proofs(talk) == [("1", ()), ("spoof", ())]


def test_a_whois_answer_with_another_host_proves_nothing() -> None:
    talk = Talk().welcomed()
    talk.hears(":irc 353 duck = #pond :al duck", ":al!evil@h PRIVMSG #pond :1", *answer("al", "Alice"))
    assert proofs(talk) == [("1", ())]


def test_a_known_nick_with_another_host_is_another_person() -> None:
    talk = Talk().welcomed(_KNOWS)
    talk.hears(":al!u@h JOIN #pond Alice :Al")
    assert talk.hears(":al!u@elsewhere PRIVMSG #pond :1") == ["WHOIS al"]
    talk.hears(*answer("al", mask="u elsewhere"))
    assert proofs(talk) == [("1", ())]


def test_a_person_keeps_the_account_after_chghost() -> None:
    talk = Talk().welcomed(_KNOWS)
    talk.hears(":al!u@h JOIN #pond Alice :Al", ":al!u@h CHGHOST v cloak", ":al!v@cloak PRIVMSG #pond :1")
    assert proofs(talk) == [("1", (_ALICE,))]


def test_people_who_share_no_channel_with_us_prove_nothing_and_are_not_asked_for() -> None:
    """We would not notice that somebody else has taken the nick."""
    talk = Talk().welcomed(_KNOWS)
    assert talk.hears(":al!u@h PRIVMSG duck :1", ":al!u@h ACCOUNT Alice", ":al!u@h PRIVMSG #pond :2") == []
    assert proofs(talk) == [("1", ()), ("2", ())]


def test_when_we_leave_a_channel_all_its_people_are_forgotten() -> None:
    talk = Talk().welcomed(_KNOWS)
    talk.hears(":al!u@h JOIN #pond Alice :Al", ":op!a@b KICK #pond duck :out", ":al!u@h PRIVMSG duck :1")
    assert proofs(talk) == [("1", ())]


def test_accounts_that_were_known_before_account_notify_was_enabled_are_asked_for_again() -> None:
    talk = Talk().welcomed("extended-join")
    talk.hears(":al!u@h JOIN #pond Alice :Al", ":irc CAP duck NEW :account-notify", ":irc CAP duck ACK :account-notify")
    assert talk.hears(":al!u@h PRIVMSG #pond :1") == ["WHOIS al"]


def test_a_lost_whois_answer_delays_messages_by_about_ten_seconds_at_most() -> None:
    talk = Talk().welcomed()
    talk.hears(":irc 353 duck = #pond :al bob duck", ":al!u@h PRIVMSG #pond :1", ":bob!u@h PRIVMSG #pond :2")
    talk.passes(12)
    assert proofs(talk) == [("1", ()), ("2", ())]
    assert talk.hears(":bob!u@h PRIVMSG #pond :3") == []


def test_when_more_than_500_lines_wait_for_whois_the_oldest_are_heard_without_proof() -> None:
    talk = Talk().welcomed()
    talk.hears(":irc 353 duck = #pond :al duck", *(f":al!u@h PRIVMSG #pond :{number}" for number in range(600)))
    assert [text for text, _ in proofs(talk)] == [str(number) for number in range(100)]
    talk.hears(*answer("al", "Alice"))
    assert proofs(talk)[100:] == [(str(number), (_ALICE,)) for number in range(100, 600)]


def test_a_server_without_whois_is_asked_once() -> None:
    talk = Talk().welcomed()
    talk.hears(":irc 353 duck = #pond :al bob duck", ":al!u@h PRIVMSG #pond :1", ":irc 421 WHOIS :Unknown command")
    assert talk.hears(":bob!u@h PRIVMSG #pond :2") == []
    assert proofs(talk) == [("1", ()), ("2", ())]


def test_a_host_mask_proves_something_only_where_the_operator_says_so() -> None:
    for trusted in (True, False):
        talk = Talk(trust_hostmasks=trusted).welcomed("account-tag")
        talk.hears("@account=Alice :al!u@h PRIVMSG #pond :1")
        mask = (Identity(Proof.IRC_MASK, "net", "al!u@h"),) if trusted else ()
        assert proofs(talk) == [("1", (_ALICE, *mask))]


def test_nicks_are_compared_by_the_servers_casemapping() -> None:
    talk = Talk().welcomed(_KNOWS, "CASEMAPPING=rfc1459 CHANTYPES=# PREFIX=(ov)@+")
    talk.hears(":al[1]!u@h JOIN #pond Alice :Al", ":AL{1}!u@h PRIVMSG #pond :1")
    assert proofs(talk) == [("1", (_ALICE,))]


def test_a_rename_to_a_known_nick_replaces_the_person_who_had_it() -> None:
    people = People()
    people.watch_logins(told=True)
    for nick, account in (("al", "Alice"), ("eve", "")):
        people.joined(Source(nick, "u", "h"), "#pond")
        people.learn(Source(nick, "u", "h"), account, 0.0)
    people.renamed(Source("eve", "u", "h"), "al")
    assert people.account(Source("al", "u", "h"), 0.0) == ""
    people.renamed(Source("nobody", "u", "h"), "al")
    assert not people.knows("al")


def test_a_line_without_an_id_has_the_time_of_its_arrival() -> None:
    talk = Talk().welcomed("account-tag")
    talk.hears(":al!u@h PRIVMSG #pond :1")
    (heard,) = talk.of(Heard)
    assert isinstance(heard, Heard)
    assert (heard.event.time, heard.msgid) == (1000.0, "")


def _connections(talk: Talk) -> list[str]:
    return [each.sender.connection for each in talk.heard]


def test_a_connection_keeps_its_name_when_the_nick_changes() -> None:
    talk = Talk().welcomed("account-tag")
    talk.hears(":al!u@h JOIN #pond", ":al!u@h PRIVMSG #pond :1", ":al!u@h PRIVMSG duck :2")
    talk.hears(":al!u@h NICK ali", ":ali!u@h PRIVMSG #pond :3", ":irc 353 duck = #pond :@ali duck")
    talk.hears(":ali!u@h PRIVMSG #pond :4")
    assert len({*_connections(talk)}) == 1
    assert _connections(talk)[0]


@pytest.mark.parametrize(
    "lines",
    [
        (":al!u@h QUIT :bye", ":al!u@h JOIN #pond"),
        (":al!u@h PART #pond", ":al!u@h JOIN #pond"),
        (":op!u@h KICK #pond al", ":al!u@h JOIN #pond"),
        (":al!u@h NICK eve", ":mal!u@h JOIN #pond", ":mal!u@h NICK al"),
        (":duck!u@h PART #pond", ":duck!u@h JOIN #pond", ":irc 353 duck = #pond :al duck"),
    ],
)
def test_a_nick_that_left_and_came_back_is_another_connection(lines: tuple[str, ...]) -> None:
    talk = Talk().welcomed("account-tag")
    talk.hears(":al!u@h JOIN #pond", ":al!u@h PRIVMSG duck :1", *lines, ":al!u@h PRIVMSG duck :2")
    first, second = _connections(talk)
    assert first
    assert second
    assert first != second


def test_a_nick_with_another_host_is_another_connection() -> None:
    talk = Talk().welcomed("account-tag")
    talk.hears(":al!u@h JOIN #pond", ":al!u@h PRIVMSG duck :1", ":al!u@evil PRIVMSG duck :2")
    first, second = _connections(talk)
    assert first != second


def test_people_who_share_no_channel_with_us_have_no_connection_name() -> None:
    talk = Talk().welcomed("account-tag")
    talk.hears(":al!u@h PRIVMSG duck :1", ":al!u@h JOIN #pond", ":al!u@h PART #pond", ":al!u@h PRIVMSG duck :2")
    assert _connections(talk) == ["", ""]


def test_two_connections_of_ours_name_other_peoples_connections_differently() -> None:
    named = set()
    for origin in ("1", "2"):
        people = People(origin)
        people.joined(Source("al", "u", "h"), "#pond")
        named.add(people.connection(Source("al", "u", "h")))
    assert len(named) == 2
