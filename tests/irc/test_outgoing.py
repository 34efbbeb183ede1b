"""What we do on IRC without words: the lines that are written, and what proves or refuses them."""

import pytest

from bridge.irc.dialect.operations import Operation, React, Redact, Say, SetTopic
from bridge.irc.effects import Failed, Notable, Proved
from bridge.irc.session.proof import ID_TAG
from bridge.model.event import Mentioned
from bridge.model.people import Identity, Proof
from bridge.network import Needless, PermanentError, TransientError
from tests.irc.test_session import ALL, POND, Talk

_SUPPORTS = "CASEMAPPING=ascii PREFIX=(ov)@+ CHANTYPES=#"
_TAGS = "message-tags draft/message-redaction"
_LABELS = f"{_TAGS} labeled-response batch echo-message"
_REPLY = "+draft/reply=m1;+reply=m1"
_US = "duck!~quack@host.example"
_DONE = [React("#Pond", "m1", "x"), Redact("#Pond", "m1"), SetTopic("#Pond", "hot water")]


class Doer(Talk):
    def does(self, operation: Operation, post: str = "p1") -> list[str]:
        before = len(self.effects)
        self._take(self.session.perform(post, operation))
        return self.written(before)


def doer(caps: str = _TAGS, supports: str = _SUPPORTS) -> Doer:
    talk = Doer()
    talk.welcomed(caps, supports)
    return talk


def outcome(talk: Talk) -> list[object]:
    """The ids of what is proved, and the errors of what failed."""
    return [
        each.remote_id if isinstance(each, Proved) else type(each.error)
        for each in talk.effects
        if isinstance(each, (Proved, Failed))
    ]


# The lines


@pytest.mark.parametrize(
    ("operation", "line"),
    [
        (Say("PRIVMSG", "#Pond", "yes", reply="m1"), f"@{ID_TAG}=p1;{_REPLY} PRIVMSG #Pond :yes"),
        (React("#Pond", "m1", "\U0001f44d"), f"@{ID_TAG}=p1;{_REPLY};+draft/react=\U0001f44d TAGMSG #Pond"),
        (React("#Pond", "m1", "x", removed=True), f"@{ID_TAG}=p1;{_REPLY};+draft/unreact=x TAGMSG #Pond"),
        (Redact("#Pond", "m1", "too much"), "REDACT #Pond m1 :too much"),
        (Redact("#Pond", "m1"), "REDACT #Pond m1"),
        (SetTopic("#Pond", "hot water"), "TOPIC #Pond :hot water"),
        (SetTopic("#Pond", ""), "TOPIC #Pond :"),
    ],
)
def test_each_operation_is_one_line_with_a_ping_behind_it(operation: Operation, line: str) -> None:
    assert doer().does(operation) == [line, "PING p1"]


def test_the_longest_tags_fit_the_budget_that_tags_have_of_their_own() -> None:
    """4094 bytes of what clients send (IRCv3 message-tags); signs that are escaped count twice."""
    (line,) = doer(_LABELS).does(React("#Pond", ";" * 512, ";" * 256), "p" * 64)
    tags, _, rest = line.partition(" ")
    assert 2000 < len(tags.removeprefix("@")) <= 4094
    assert rest == "TAGMSG #Pond"


@pytest.mark.parametrize("operation", _DONE)
def test_with_labeled_response_each_operation_has_a_label_and_no_ping(operation: Operation) -> None:
    (line,) = doer(_LABELS).does(operation)
    assert line.startswith("@label=p1")


def test_without_message_tags_a_reply_is_a_plain_line_and_reactions_and_removals_are_needless() -> None:
    talk = doer(caps="")
    assert talk.does(Say("PRIVMSG", "#Pond", "yes", reply="m1")) == ["PRIVMSG #Pond :yes", "PING p1"]
    for operation in (React("#Pond", "m1", "x"), Redact("#Pond", "m1")):
        with pytest.raises(Needless):
            talk.does(operation)
    assert talk.does(SetTopic("#Pond", "t"), "p2") == ["TOPIC #Pond t", "PING p2"]


def test_a_topic_that_is_there_already_is_not_set_again() -> None:
    talk, hot, cold = doer(), SetTopic("#Pond", "hot"), SetTopic("#pond", "cold")
    for line in (":irc.test 332 duck #pond :hot", ":al!u@h TOPIC #POND :hot", f":{_US} TOPIC #pond :hot"):
        talk.hears(line)
        with pytest.raises(Needless):
            talk.does(hot)
        assert talk.does(cold, f"c{line}")[0] == "TOPIC #pond cold"
        assert talk.does(hot, f"h{line}")[0] == "TOPIC #Pond hot", "whether it is cold by now is not known"
    talk.hears(":al!u@h TOPIC #pond :hot", f":{_US} JOIN #pond")
    assert talk.does(hot, "j")[0] == "TOPIC #Pond hot", "it may have changed while we were away"


@pytest.mark.parametrize(
    ("deny", "tags", "reactions"),
    [
        ("*", "", False),
        ("*,-draft/reply", "@+draft/reply=m1 ", False),
        ("*,-reply,-draft/react", "@+reply=m1 ", True),
        ("draft/react", f"@{ID_TAG}=p1;{_REPLY} ", False),
        ("draft/reply,reply", f"@{ID_TAG}=p1 ", False),
    ],
)
def test_client_tags_that_the_server_denies_are_not_sent(deny: str, tags: str, reactions: bool) -> None:
    talk = doer(supports=f"{_SUPPORTS} CLIENTTAGDENY={deny}")
    assert talk.does(Say("PRIVMSG", "#Pond", "yes", reply="m1"))[0] == f"{tags}PRIVMSG #Pond :yes"
    if reactions:
        assert "+draft/react=x TAGMSG" in talk.does(React("#Pond", "m1", "x"), "p2")[0]
        return
    with pytest.raises(Needless):
        talk.does(React("#Pond", "m1", "x"), "p2")


@pytest.mark.parametrize("msgid", ["", "two words", ":m", "m\nQUIT", "m\0", "x" * 9000])
def test_an_id_that_no_server_can_have_given_makes_no_other_line(msgid: str) -> None:
    talk = doer()
    with pytest.raises(Needless):
        talk.does(Redact("#Pond", msgid))
    (said, _) = talk.does(Say("PRIVMSG", "#Pond", "yes", reply=msgid))
    assert said.endswith("PRIVMSG #Pond :yes")
    assert "\n" not in said
    assert len(said) < 1000


def test_a_reply_to_an_id_with_signs_that_tags_must_escape_is_escaped() -> None:
    (line, _) = doer().does(Say("PRIVMSG", "#Pond", "yes", reply="a;b c\\"))
    assert r"+reply=a\:b\sc\\ PRIVMSG" in line


def test_a_long_line_with_a_reply_has_as_many_bytes_for_its_words_as_one_without() -> None:
    talk = doer()
    limits = talk.session.limits
    text = "x" * limits.budget("PRIVMSG", "#Pond")
    assert talk.does(Say("PRIVMSG", "#Pond", text, reply="m" * 128))[0].endswith(text)


def test_a_reaction_that_no_client_could_show_is_needless_and_a_long_reason_is_cut() -> None:
    talk = doer()
    for key in ("", "x" * 5000):
        with pytest.raises(Needless):
            talk.does(React("#Pond", "m1", key))
    (line, _) = talk.does(Redact("#Pond", "m1", "\U0001f986" * 1000))
    assert len(line.encode()) <= 300


# What proves them


@pytest.mark.parametrize(
    ("operation", "echo"),
    [
        (_DONE[0], f"@msgid=x9;label=p1;+draft/reply=m1;+draft/react=x :{_US} TAGMSG #pond"),
        (_DONE[1], f"@msgid=x9;label=p1 :{_US} REDACT #pond m1"),
        (_DONE[2], f"@msgid=x9;label=p1 :{_US} TOPIC #pond :hot water"),
    ],
)
def test_a_labelled_operation_is_proved_by_its_echo(operation: Operation, echo: str) -> None:
    talk = doer(_LABELS)
    talk.does(operation)
    talk.hears(echo)
    assert outcome(talk) == ["x9"]


@pytest.mark.parametrize("operation", _DONE)
@pytest.mark.parametrize(
    "answer",
    [
        ["@label=p1 :irc ACK"],
        ["@label=p1 :irc NOTE * ODD :a word"],
        ["@label=p1 :irc BATCH +9 labeled-response", "@batch=9 :irc NOTE * ODD :a", ":irc BATCH -9"],
    ],
)
def test_a_labelled_operation_is_proved_by_any_answer_without_an_error(operation: Operation, answer: list[str]) -> None:
    talk = doer(_LABELS)
    talk.does(operation)
    talk.hears(*answer)
    assert outcome(talk) == ["p1"]


def test_an_echo_in_a_labelled_batch_proves_with_its_id() -> None:
    talk = doer(_LABELS)
    talk.does(SetTopic("#Pond", "t"))
    talk.hears("@label=p1 :irc BATCH +9 labeled-response", f"@batch=9;msgid=x9 :{_US} TOPIC #pond t", ":irc BATCH -9")
    assert outcome(talk) == ["x9"]


@pytest.mark.parametrize("caps", ["message-tags draft/message-redaction", f"{_TAGS} echo-message"])
@pytest.mark.parametrize("operation", _DONE)
def test_without_labels_the_pong_proves_an_operation_that_no_error_was_about(caps: str, operation: Operation) -> None:
    talk = doer(caps)
    talk.does(operation)
    assert outcome(talk) == []
    talk.hears(":irc PONG irc p1")
    assert outcome(talk) == ["p1"]


def test_the_echo_of_one_operation_proves_no_other_one() -> None:
    talk = doer(f"{_TAGS} echo-message")
    talk.does(Say("PRIVMSG", "#Pond", "hi"), "p1")
    talk.does(React("#Pond", "m1", "x"), "p2")
    talk.does(SetTopic("#Pond", "t"), "p3")
    talk.hears(f"@+typing=active;msgid=x0 :{_US} TAGMSG #pond", f"@msgid=x3 :{_US} TOPIC #pond t")
    talk.hears(f"@msgid=x2;+draft/reply=m1;+draft/react=x :{_US} TAGMSG #pond", f"@msgid=x1 :{_US} PRIVMSG #pond :hi")
    assert [(each.post, each.remote_id) for each in talk.of(Proved)] == [("p3", "x3"), ("p2", "x2"), ("p1", "x1")]


def test_an_id_of_the_server_that_is_too_long_is_kept_as_the_one_by_which_it_would_be_heard() -> None:
    talk = doer(f"{ALL}")
    talk.does(Say("PRIVMSG", "#Pond", "hi"))
    talk.hears(f"@label=p1;msgid={'x' * 3000} :{_US} PRIVMSG #pond :hi")
    (known,) = outcome(talk)
    talk.hears(f"@msgid={'x' * 3000} :al!u@h PRIVMSG #pond :hi")
    assert talk.heard[-1].id == known


# What refuses them


@pytest.mark.parametrize("code", ["REDACT_FORBIDDEN", "UNKNOWN_MSGID", "REDACT_WINDOW_EXPIRED 60", "INVALID_TARGET"])
@pytest.mark.parametrize(("caps", "label"), [(_TAGS, ""), (_LABELS, "@label=p1 ")])
def test_a_removal_that_the_server_refuses_is_done_with_and_logged(code: str, caps: str, label: str) -> None:
    talk = doer(caps)
    talk.does(Redact("#Pond", "m1"))
    code, _, more = code.partition(" ")
    talk.hears(f"{label}:irc FAIL REDACT {code} #Pond m1 {more} :no", ":irc PONG irc p1")
    assert outcome(talk) == ["p1"]
    assert [(each.event, code in each.reason) for each in talk.of(Notable)] == [("redact_refused", True)]


@pytest.mark.parametrize(
    "line", [":irc 404 duck #pond :Cannot send", ":irc 417 duck :Too long", ":irc 421 duck TAGMSG :?"]
)
def test_a_reaction_that_the_server_refuses_is_done_with_and_does_not_hold_up_the_channel(line: str) -> None:
    talk = doer()
    talk.does(React("#Pond", "m1", "x"))
    talk.hears(line)
    assert outcome(talk) == ["p1"]
    assert talk.session.channels.muted("#pond") == ""


@pytest.mark.parametrize(("caps", "label"), [(_TAGS, ""), (_LABELS, "@label=p1 ")])
def test_a_topic_that_only_operators_may_set_fails_for_good_in_plain_words(caps: str, label: str) -> None:
    talk = doer(caps)
    talk.does(Say("PRIVMSG", "#Pond", "hi"), "p0")
    talk.does(SetTopic("#Pond", "t"))
    talk.hears(f"{label}:irc 482 duck #Pond :You're not channel operator")
    (failed,) = talk.of(Failed)
    assert failed.post == "p1"
    assert isinstance(failed.error, PermanentError)
    assert str(failed.error).startswith("the bridge is no operator in #Pond")
    assert talk.session.channels.muted("#pond") == ""


def test_an_error_about_a_command_is_about_the_post_of_that_command() -> None:
    talk = doer()
    talk.does(SetTopic("#Pond", "t"), "p1")
    talk.does(Redact("#Pond", "m1"), "p2")
    talk.does(Say("PRIVMSG", "#Pond", "hi"), "p3")
    talk.hears(":irc FAIL REDACT UNKNOWN_MSGID #Pond m1 :no", ":irc 404 duck #Pond :Cannot send")
    assert [each.post for each in talk.of(Proved)] == ["p2"]
    assert [each.post for each in talk.of(Failed)] == ["p3"]


def test_what_is_refused_because_we_are_not_there_is_tried_again() -> None:
    talk = doer()
    talk.does(Redact("#Pond", "m1"))
    talk.hears(":op!o@h KICK #pond duck :out", ":irc 442 duck #Pond :You're not on that channel")
    (failed,) = talk.of(Failed)
    assert isinstance(failed.error, TransientError)


# What rendering is told of a channel


def test_rendering_is_told_what_the_server_and_the_channel_can_do() -> None:
    plain, rich = doer(caps=""), doer(supports=f"{_SUPPORTS} TOPICLEN=80")
    place = plain.session.place("#pond")
    assert (place.tags, place.redaction, place.limits.topic) == (False, False, 0)
    place = rich.session.place("#pond")
    assert (place.tags, place.redaction, place.limits.topic) == (True, True, 80)
    assert not doer(supports=f"{_SUPPORTS} CLIENTTAGDENY=*,-draft/react").session.place("#pond").tags


@pytest.mark.parametrize(
    ("lines", "colours"),
    [
        ([], True),
        ([":irc 324 duck #pond +nt"], True),
        ([":irc 324 duck #pond +ntc"], False),
        ([":irc 324 duck #pond :+Snt"], False),
        ([":op!o@h MODE #pond +c"], False),
        ([":op!o@h MODE #pond +lS 5"], False),
        ([":irc 324 duck #pond +cS", ":op!o@h MODE #pond -c"], False),
        ([":irc 324 duck #pond +cS", ":op!o@h MODE #pond -cS"], True),
        ([":op!o@h MODE #lake +c"], True),
        ([":op!o@h MODE duck +c"], True),
        ([":irc 324 duck #pond +c", ":op!o@h KICK #pond duck :out", ":duck!~quack@host.example JOIN #pond"], True),
    ],
)
def test_colours_get_through_unless_a_mode_of_the_channel_refuses_or_removes_them(
    lines: list[str], colours: bool
) -> None:
    talk = doer(supports=f"{_SUPPORTS} CHANMODES=b,k,l,imnptcS")
    assert "MODE #Pond" in talk.written()
    talk.hears(*lines)
    assert talk.session.place("#pond").colours is colours


def test_the_modes_of_a_channel_are_not_asked_for_where_none_is_about_colours_or_who_may_speak() -> None:
    assert not any(line.startswith("MODE") for line in doer(supports=f"{_SUPPORTS} CHANMODES=b,k,l,inpt").written())


def test_the_nicks_in_a_channel_follow_those_who_come_and_go() -> None:
    talk = doer()
    talk.hears(":irc 353 duck = #pond :@Op +al duck", ":bob!u@h JOIN #pond", ":al!u@h NICK Ally", ":bob!u@h QUIT")
    talk.hears(":carol!u@h JOIN #pond", ":carol!u@h PART #pond", ":dan!u@h JOIN #pond", ":op!o@h KICK #pond dan")
    assert sorted(talk.session.place("#POND").nicks) == ["ally", "duck", "op"]
    assert talk.session.place("#POND").us == "duck"


def mentioned(*identities: Identity) -> Mentioned:
    return Mentioned("@ann:hs", "ann", identities)


def account(name: str, network: str = "net") -> Identity:
    return Identity(Proof.IRC, network, name)


def test_the_nick_of_a_mentioned_user_is_that_of_who_is_logged_in_to_one_of_their_accounts_here() -> None:
    talk = doer("extended-join account-notify")
    talk.hears(":al!u@h JOIN #pond Alice :A", ":bob!u@h JOIN #pond * :B")
    nick_of = talk.session.place("#pond").nick_of
    assert nick_of(mentioned(account("alice"))) == "al"
    assert nick_of(mentioned(account("ann"), account("ALICE"))) == "al"
    assert nick_of(mentioned(account("alice", "other"), Identity(Proof.MATRIX, "", "alice"))) is None
    assert nick_of(mentioned()) is None
    talk.hears(":al!u@h NICK Ally")
    assert nick_of(mentioned(account("alice"))) == "Ally"
    talk.hears(":bob!u@h ACCOUNT Bob", ":Ally!u@h ACCOUNT Other")
    assert nick_of(mentioned(account("alice"))) is None
    assert nick_of(mentioned(account("bob"))) == "bob"
    talk.hears(":bob!u@h QUIT")
    assert nick_of(mentioned(account("bob"))) is None
    assert talk.session.place("#lake").nick_of(mentioned(account("other"))) is None


@pytest.mark.parametrize(("trust", "nick"), [(True, "al"), (False, None)])
def test_a_mask_names_a_person_only_where_masks_are_trusted(trust: bool, nick: str | None) -> None:
    talk = Talk(trust_hostmasks=trust).welcomed()
    talk.hears(":bob!x@y JOIN #pond", ":al!u@h.example JOIN #pond")
    mask = Identity(Proof.IRC_MASK, "net", "*!u@*.EXAMPLE")
    assert talk.session.place(POND.id).nick_of(mentioned(mask)) == nick
