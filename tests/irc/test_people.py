"""Who is in our channels: accounts, hosts, ranks, real names, who is away, kept right as people come, go and change."""

import tracemalloc

import pytest

from bridge.irc.hearing.people import People
from bridge.irc.session.commands import _HANDLERS
from bridge.irc.wire.line import Source
from bridge.model.casemap import Casemapping
from bridge.model.event import Message, Room
from bridge.model.text import plain
from tests import work
from tests.irc.test_session import ALL, Talk

_CAPS = f"{ALL} multi-prefix userhost-in-names away-notify chghost setname"
_SUPPORTS = "CASEMAPPING=ascii PREFIX=(qaohv)~&@%+ CHANTYPES=# CHANMODES=beI,k,lH,cimnpst WHOX"


def joined(caps: str = _CAPS, supports: str = _SUPPORTS) -> Talk:
    return Talk().welcomed(caps, supports)


def people(talk: Talk) -> People:
    return talk.session._state.people


def facts(talk: Talk, nick: str) -> tuple[str, str, str | None, str, bool, str]:
    """Of a person in #pond: user, host, account, real name, whether away, ranks."""
    person = people(talk).find(nick)
    assert person is not None
    ranks = people(talk).ranks(nick, "#pond")
    return person.user, person.host, person.account, person.realname, person.away, ranks


def test_names_and_who_come_in_pages_and_tell_all_about_everybody() -> None:
    talk = joined()
    assert "WHO #pond %tcuhnfar,271" in talk.written()
    talk.hears(":irc.test 353 duck = #pond :~@+al!~a@host/al bob!b@192.0.2.1")
    talk.hears(":irc.test 353 duck @ #pond :+Éva!e@::1 duck")
    talk.hears(":irc.test 366 duck #pond :End of /NAMES list.")
    talk.hears(":irc.test 354 duck 271 #pond ~a host/al al G*~@+ Alice :Alice of the Pond")
    talk.hears(":irc.test 354 duck 271 #pond b 192.0.2.1 bob H 0 :Bob", ":irc.test 315 duck #pond :End")
    assert facts(talk, "al") == ("~a", "host/al", "Alice", "Alice of the Pond", True, "qov")
    assert facts(talk, "BOB") == ("b", "192.0.2.1", "", "Bob", False, "")
    assert facts(talk, "Éva") == ("e", "::1", None, "", False, "v")
    assert set(people(talk).nicks("#POND")) == {"duck", "al", "bob", "Éva"}


def test_a_plain_server_tells_the_highest_rank_and_the_nick_only() -> None:
    talk = joined("", "CASEMAPPING=ascii PREFIX=(ov)@+")
    talk.hears(":irc.test 353 duck #pond :@al +bob duck")  # RFC 1459 has no sign before the channel
    assert facts(talk, "al") == ("", "", None, "", False, "o")
    talk.hears(":al!~a@h PRIVMSG #pond :hi")
    assert facts(talk, "al") == ("~a", "h", None, "", False, "o")


def test_extended_join_account_chghost_setname_and_away_keep_a_person_up_to_date() -> None:
    talk = joined()
    talk.hears(":al!u@h JOIN #pond Alice :Alice of the Pond")
    assert facts(talk, "al") == ("u", "h", "Alice", "Alice of the Pond", False, "")
    before = people(talk).connection(Source("al"))
    talk.hears(":al!u@h CHGHOST v user/alice", ":al!v@user/alice SETNAME :Al", ":al!v@user/alice AWAY :lunch")
    assert facts(talk, "al") == ("v", "user/alice", "Alice", "Al", True, "")
    assert people(talk).connection(Source("al", "v", "user/alice")) == before
    talk.hears(":al!v@user/alice AWAY", ":al!v@user/alice ACCOUNT *", ":al!v@user/alice NICK ali")
    assert facts(talk, "ali") == ("v", "user/alice", "", "Al", False, "")
    assert people(talk).find("al") is None


@pytest.mark.parametrize(
    "line", ["CHGHOST", "CHGHOST v", "CHGHOST v :", "ACCOUNT", "SETNAME", "NICK", "NICK :", "MODE #pond"]
)
def test_a_line_without_its_parameters_changes_nothing(line: str) -> None:
    talk = joined()
    talk.hears(":al!u@h JOIN #pond Alice :Al", ":irc.test MODE #pond +o al")
    before = facts(talk, "al")
    talk.hears(f":al!u@h {line}")
    assert facts(talk, "al") == before


def test_several_modes_in_one_line_find_their_parameters() -> None:
    talk = joined()
    talk.hears(":irc.test 353 duck = #pond :al bob!b@h duck")
    talk.hears(":op!o@h MODE #pond +bvl-k+oH al!*@* al 5 key bob 10:1d")
    assert (people(talk).ranks("al", "#pond"), people(talk).ranks("bob", "#pond")) == ("v", "o")
    talk.hears(":op!o@h MODE #pond -l+h-o+q al bob al", ":op!o@h MODE #pond +o-o+a BOB bob Bob")
    assert (people(talk).ranks("al", "#pond"), people(talk).ranks("bob", "#pond")) == ("vhq", "a")


def test_without_ranks_on_the_server_letters_of_ranks_take_no_parameter() -> None:
    talk = joined(supports="CASEMAPPING=ascii PREFIX= CHANMODES=b,k,l,o WHOX")
    talk.hears(":irc.test 353 duck = #pond :@al bob duck", ":op!o@h MODE #pond +ob bob!*@*")
    assert people(talk).ranks("bob", "#pond") == ""
    assert "@al" in people(talk).nicks("#pond")  # a nick as it stands: no sign is a rank there


def test_who_comes_back_has_no_rank_until_it_is_given_again() -> None:
    talk = joined()
    talk.hears(":al!u@h JOIN #pond", ":irc.test MODE #pond +o al", ":al!u@h JOIN #pond")
    assert people(talk).ranks("al", "#pond") == ""


def test_a_netsplit_takes_people_and_a_netjoin_brings_them_back() -> None:
    talk = joined()
    talk.hears(":irc.test 353 duck = #pond :@al!u@h bob!b@h cyd!c@h duck")
    talk.hears(
        ":irc.test BATCH +s netsplit a.test b.test",
        "@batch=s :al!u@h QUIT :a.test b.test",
        "@batch=s :bob!b@h QUIT :a.test b.test",
        ":irc.test BATCH -s",
    )
    assert set(people(talk).nicks("#pond")) == {"cyd", "duck"}
    talk.hears(
        ":irc.test BATCH +j netjoin a.test b.test",
        "@batch=j :al!u@h JOIN #pond Alice :Al",
        ":irc.test BATCH -j",
        ":a.test MODE #pond +o al",
    )
    assert facts(talk, "al") == ("u", "h", "Alice", "Al", False, "o")


def test_joins_in_a_replayed_history_bring_nobody() -> None:
    talk = joined()
    talk.hears(":irc.test BATCH +h chathistory #pond", "@batch=h :old!o@h JOIN #pond", "@batch=h :duck!q@h PART #pond")
    talk.hears("@batch=h :duck!~quack@host.example NICK x", ":irc.test BATCH -h")
    assert set(people(talk).nicks("#pond")) == {"duck"}
    assert talk.session.nick == "duck"


def test_a_replayed_line_says_nothing_of_who_has_the_nick_now() -> None:
    talk = joined()
    talk.hears(":al!u@h JOIN #pond Alice :Al", ":irc.test BATCH +h chathistory #pond")
    talk.hears("@batch=h :al!somebody@else PRIVMSG #pond :old", ":irc.test BATCH -h")
    assert facts(talk, "al") == ("u", "h", "Alice", "Al", False, "")
    talk.hears(":al!somebody@else PRIVMSG #pond :new")
    assert facts(talk, "al") == ("somebody", "else", None, "", False, "")


def test_nobody_is_known_in_a_channel_that_we_are_not_in() -> None:
    talk = Talk(rooms=(Room("net", "#pond"), Room("net", "#lake"))).welcomed(_CAPS, _SUPPORTS)
    talk.hears(":al!u@h JOIN #lake Alice :Al", ":irc.test 353 duck = #lake :bob duck", ":irc.test MODE #lake +o bob")
    assert not people(talk).knows("al")
    assert not people(talk).knows("bob")


def test_when_we_come_back_who_is_there_is_told_anew() -> None:
    talk = joined()
    talk.hears(
        ":irc.test 353 duck = #pond :al bob duck", ":duck!u@h JOIN #pond", ":irc.test 353 duck = #pond :bob duck"
    )
    assert set(people(talk).nicks("#pond")) == {"bob", "duck"}
    talk.hears(":op!o@h KICK #pond duck :out")
    assert set(people(talk).nicks("#pond")) == set()
    assert people(talk)._people == {}


def test_of_people_who_are_gone_nothing_is_left() -> None:
    talk = joined()
    for number in range(50):
        talk.hears(f":n{number}!u@h{number} JOIN #pond acct{number} :N", f":n{number}!u@h{number} NICK m{number}")
    for number in range(50):
        gone = [f":m{number}!u@h PART #pond", f":m{number}!u@h QUIT", f":x KICK #pond m{number}"][number % 3]
        talk.hears(gone)
    state = people(talk)
    assert (set(state._people), set(state._ranks["#pond"]), state._logins._nicks) == ({"duck"}, {"duck"}, {})


def test_an_account_is_found_however_often_it_is_used_and_left() -> None:
    talk = joined()
    for nick in ("al", "al2", "al3"):
        talk.hears(f":{nick}!u@h JOIN #pond Alice :A")
    assert people(talk).with_account("ALICE", "#pond") == "al"
    talk.hears(":al!u@h QUIT", ":al2!u@h ACCOUNT *", ":al3!u@h NICK alice")
    assert people(talk).with_account("alice", "#pond") == "alice"
    talk.hears(":alice!u@h PART #pond")
    assert people(talk).with_account("alice", "#pond") is None


def test_a_line_that_waited_while_its_speaker_changed_hosts_is_not_taken_for_somebody_new() -> None:
    """A held line shows the host of the past; what is known now stays."""
    talk = joined("account-notify extended-join chghost", "CASEMAPPING=ascii PREFIX=(ov)@+")
    talk.hears(":al!u@h JOIN #pond Alice :A", ":al!u@h CHGHOST u user/alice")
    assert people(talk).account(Source("al", "u", "h"), 0.0) is None
    assert people(talk).connection(Source("al", "u", "h")) == ""
    assert facts(talk, "al")[:3] == ("u", "user/alice", "Alice")


# Comparing names


def test_a_casemapping_that_changes_in_mid_session_compares_those_who_are_there_anew() -> None:
    talk = joined("account-notify extended-join", "CASEMAPPING=ascii PREFIX=(ov)@+")
    talk.hears(":A[x]!u@h JOIN #pond Alice[] :A", ":irc.test MODE #pond +o a[X]")
    assert not people(talk).is_in("a{x}", "#pond")
    talk.hears(":irc.test 005 duck CASEMAPPING=rfc1459 :are supported")
    assert people(talk).is_in("a{X}", "#POND")
    assert people(talk).ranks("a{x}", "#pond") == "o"
    assert people(talk).with_account("alice{}", "#pond") == "A[x]"
    talk.hears(":a{x}!u@h PART #pond")
    assert set(people(talk).nicks("#pond")) == {"duck"}


def test_people_whose_nicks_become_one_are_forgotten() -> None:
    talk = joined("account-notify extended-join", "CASEMAPPING=ascii PREFIX=(ov)@+")
    talk.hears(":a[!u@h JOIN #pond Alice :A", ":a{!v@h JOIN #pond Bob :B", ":irc.test 005 duck CASEMAPPING=rfc1459 :x")
    assert set(people(talk).nicks("#pond")) == {"duck"}
    assert people(talk).with_account("Alice", "#pond") is None


def test_names_on_ergo_are_compared_as_ergo_compares_them() -> None:
    talk = Talk(rooms=(Room("net", "#Größe"),)).welcomed(
        "account-notify extended-join", "CASEMAPPING=rfc8265 PREFIX=(ov)@+"
    )
    talk.hears(":duck!q@h JOIN #größe", ":Éva!u@h JOIN #GRÖSSE", ":Éva!u@h JOIN #GRÖßE Éva :E")
    talk.hears(":E\u0301VA!u@h PRIVMSG #größe :hi")
    (event,) = talk.heard
    assert event.room == Room("net", "#Größe")
    assert event.sender.casemapping is Casemapping.RFC8265
    assert people(talk).with_account("e\u0301va", "#größe") == "Éva"


def test_who_types_stops_typing_though_the_casemapping_has_changed_meanwhile() -> None:
    talk = joined(_CAPS, "CASEMAPPING=ascii PREFIX=(ov)@+")
    talk.hears(
        ":A[!u@h JOIN #pond", "@+typing=active :A[!u@h TAGMSG #pond", ":irc.test 005 duck CASEMAPPING=rfc1459 :x"
    )
    talk.hears(":a{!u@h PRIVMSG #pond :done")
    assert [each.who for each in talk.session._state.typing.values()] == [None]


# Sources


@pytest.mark.parametrize("source", ["al", "al@h", "al!u", "al!u@", "al!@h"])
def test_a_source_without_user_or_host_is_heard(source: str) -> None:
    talk = joined()
    talk.hears(":irc.test 353 duck = #pond :al duck", f":{source} PRIVMSG #pond :hi")
    (event,) = talk.heard
    assert isinstance(event.body, Message)
    assert (event.sender.address, plain(event.text)) == ("al", "hi")


@pytest.mark.parametrize(
    "line", ["JOIN #pond", "NICK al", "AWAY :x", "QUIT :x", "PART #pond", "ACCOUNT x", "SETNAME x", "CHGHOST a b"]
)
@pytest.mark.parametrize("source", [":irc.test ", "", ":!@ ", ": "])
def test_a_server_is_nobody_in_a_channel(source: str, line: str) -> None:
    talk = joined()
    talk.hears(f"{source}{line}")
    assert set(people(talk).nicks("#pond")) == {"duck"}


@pytest.mark.parametrize("line", ["NOTICE #pond :restart", "PRIVMSG #pond :x", "TOPIC #pond :x", "JOIN #pond"])
def test_our_server_is_nobody_though_its_name_has_no_dot(line: str) -> None:
    talk = joined()
    talk.hears(f":irc {line}")
    assert talk.events == []
    assert set(people(talk).nicks("#pond")) == {"duck"}
    talk.hears(":ircx NOTICE #pond :a person")
    assert len(talk.heard) == 1


@pytest.mark.parametrize("command", sorted(_HANDLERS))
def test_a_line_without_some_of_its_parameters_is_survived(command: str) -> None:
    words = ["duck", "#pond", "al", "#pond", "u", "h", "al", "H", "x", "y"]
    for source in (":irc.test ", ":al!u@h ", ":al ", ""):
        for count in range(len(words)):
            talk = joined()
            talk.hears(":irc.test 353 duck = #pond :al duck", f"{source}{command} {' '.join(words[:count])}")
            talk.passes(1)
            assert talk.session.nick == "duck"


# How much it costs


def _crowd(size: int) -> list[str]:
    names = [f"{'@' * (each % 50 == 0)}Duck{each:05}!~u{each % 300}@user/duck{each}" for each in range(size)]
    pages = [f":irc.test 353 duck = #pond :{' '.join(names[at : at + 10])}" for at in range(0, size, 10)]
    who = [f":irc.test 354 duck 271 #pond ~u{n % 300} user/duck{n} Duck{n:05} H acct{n} :Duck {n}" for n in range(size)]
    return [*pages, *who, ":irc.test 315 duck #pond :End"]


def test_the_work_of_joining_a_channel_grows_with_its_members_and_not_faster() -> None:
    assert work.growth(lambda size: joined().hears(*_crowd(size)), 500) < 2.1


def test_each_member_of_a_channel_costs_little_work_and_memory() -> None:
    """Of twenty thousand: four million lines of Python, a third of a second, and 13 MB."""
    assert work.lines(lambda: joined().hears(*_crowd(1000))) < 260 * 1000
    talk, lines = joined(), _crowd(2000)
    tracemalloc.start()
    talk.hears(*lines)
    talk.effects.clear()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 2000 * 900
