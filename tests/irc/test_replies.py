"""Replies and threads as lines of IRC (bridge.irc.dialect.quotation)."""

from dataclasses import replace

import pytest

from bridge.irc.dialect.brief import shortened
from bridge.irc.dialect.operations import Say
from bridge.irc.dialect.place import Limits, Place
from bridge.model.event import BOTS, EventKey, Kind, Mentioned, Message
from bridge.model.outbox import Known, Owed
from bridge.model.people import Identity, Proof, Sender
from bridge.model.presentation import QUOTATION, Presentation
from bridge.model.text import words
from tests.events import HOME, matrix
from tests.irc.rendering import ALICE, PLACE, TARGET, known, operations, owed, said

CROWDED = Place(Limits(512, 60), nicks={"bob", "carol_", "al"})
CAROL = replace(matrix("carol"), user="carol")
ROOT = EventKey(HOME, "$root")


def reply(of: Known, text: str = "yes", sender: Sender = ALICE, **changes: object) -> Owed:
    body = replace(Message(words(text), reply_to=of.source), **changes)  # type: ignore[arg-type]
    return owed(body, sender=sender, context=[of])


def test_a_reply_to_the_last_thing_said_begins_with_the_name_as_people_write_it_by_hand() -> None:
    assert said(reply(known("shall we?", last=True))) == ["<alice> bob: yes"]
    assert said(reply(known("shall we?", CAROL, last=True))) == ["<alice> carol: yes"]


def test_a_reply_is_to_the_last_thing_said_only_if_nothing_else_is_sent_just_before_it() -> None:
    between = owed(Message(words("hm")), 7, sender=CAROL)
    assert said([between, reply(known("shall we?", last=True))])[1] == '<alice> (re bob: "shall we?") yes'
    answered = owed(Message(words("shall we?")), 7, sender=CAROL)
    item = reply(known("shall we?", CAROL, source=answered.event.key, last=True))
    assert said([answered, item])[1] == "<alice> carol: yes"


def test_a_reply_that_names_its_author_itself_or_is_to_oneself_gets_no_second_name() -> None:
    assert said(reply(known("shall we?", last=True), "Bob: yes")) == ["<alice> Bob: yes"]
    assert said(reply(known("shall we?", ALICE, last=True))) == ["<alice> yes"]


def test_a_reply_to_something_earlier_quotes_it_in_the_first_line_only() -> None:
    assert said(reply(known("shall we?"), "yes\nat nine")) == ['<alice> (re bob: "shall we?") yes', "<alice> at nine"]


@pytest.mark.parametrize(
    ("template", "words_", "line"),
    [
        (QUOTATION, 'ok") I agree with bob', '(re bob: "ok\') I agree with bob") no'),
        (QUOTATION, "ok :)", '(re bob: "ok :)") no'),
        ("[{name}: {words}] ", "ok] I agree with bob", "[bob: ok I agree with bob] no"),
        ("{name} said “{words}”: ", "ok”: I agree", "bob said “ok’: I agree”: no"),
    ],
)
def test_what_is_quoted_does_not_read_like_words_of_the_one_who_answers(template: str, words_: str, line: str) -> None:
    assert said(reply(known(words_), "no"), how=Presentation(quotation=template)) == [f"<alice> {line}"]


def test_a_name_does_not_read_like_words_of_the_one_who_answers() -> None:
    mallory = matrix("mallory", display="bob) I agree. carol")
    assert said(reply(known("hi", mallory), "no")) == ['<alice> (re "bob) I agree. carol": "hi") no']
    assert said(reply(known("hi", mallory, last=True), "no")) == ['<alice> "bob) I agree. carol": no']
    item = owed(Message(words("no"), thread=ROOT), context=[known('a") b', source=ROOT)])
    assert said(item) == ['<alice> (thread: "a\') b") no']


def test_an_action_that_answers_is_told_with_a_quotation_and_no_name_as_if_in_its_words() -> None:
    assert said(reply(known("shall we?", last=True), "nods", kind=Kind.ACTION)) == [
        '* alice (re bob: "shall we?") nods'
    ]


def test_in_a_private_conversation_it_is_plain_what_is_answered() -> None:
    item = reply(known("shall we?"))
    assert said(replace(item, event=replace(item.event, private=True))) == ["yes"]


def test_what_is_not_known_is_not_quoted() -> None:
    assert said(owed(Message(words("yes"), reply_to=TARGET))) == ["<alice> yes"]
    assert said(reply(known("", None))) == ["<alice> yes"]
    assert said(reply(known(""))) == ["<alice> (re bob) yes"]
    assert said(reply(known("shall we?", None))) == ['<alice> (re somebody: "shall we?") yes']


def test_a_removed_message_is_not_quoted() -> None:
    assert said(reply(known("secret", removed=True))) == ["<alice> (re a deleted message) yes"]


@pytest.mark.parametrize(
    ("template", "whole", "wordless", "removed"),
    [
        ("> {name}: {words} | ", "> bob: hi | yes", "> bob | yes", "> a deleted message | yes"),
        ("“{words}” ({name}) ", "“hi” (bob) yes", "(bob) yes", "(a deleted message) yes"),
        ("@{name} ", "@bob yes", "@bob yes", "@a deleted message yes"),
        ("[{words}] ", "[hi] yes", "[bob] yes", "[a deleted message] yes"),
    ],
)
def test_the_operators_template_is_filled_also_where_there_are_no_words(
    template: str, whole: str, wordless: str, removed: str
) -> None:
    how = Presentation(quotation=template)
    assert said(reply(known("hi")), how=how) == [f"<alice> {whole}"]
    assert said(reply(known("")), how=how) == [f"<alice> {wordless}"]
    assert said(reply(known("", removed=True)), how=how) == [f"<alice> {removed}"]


def test_a_name_or_words_with_braces_are_not_filled_again() -> None:
    assert said(reply(known("{name} {0}", replace(CAROL, name="{words}")))) == [
        '<alice> (re {words}: "{name} {0}") yes'
    ]


def test_a_quotation_is_one_short_line_without_control_characters_cut_at_a_word() -> None:
    text = "first line\nsecond\x02 \x0304line\t\u202egnorw and then many more words that nobody will read"
    (line,) = said(reply(known(text)))
    assert line == '<alice> (re bob: "first line second 04line gnorw and then many more…") yes'
    assert shortened("x" * 100, 10) == "xxxxxxxxx…"
    assert shortened("👨‍👩‍👧‍👦" * 9, 10) == "👨‍👩‍👧‍👦…"
    assert shortened("one, two three", 10) == "one, two…"


def test_the_author_on_irc_is_called_by_their_nick_and_all_others_are_guarded() -> None:
    assert said(reply(known("hi", last=True)), CROWDED) == ["<alice> bob: yes"]
    assert said(reply(known("hi")), CROWDED) == ['<alice> (re bob: "hi") yes']
    assert said(reply(known("hi", CAROL, last=True)), CROWDED) == ["<alice> c\u200barol: yes"]
    assert said(reply(known("bob and Carol said hi")), CROWDED) == [
        '<alice> (re bob: "b\u200bob and C\u200barol said hi") yes'
    ]


def test_the_author_on_irc_is_called_by_the_nick_that_they_have_now() -> None:
    def nick_of(mentioned: Mentioned) -> str | None:
        assert mentioned == Mentioned("bob", "bob", (Identity(Proof.IRC, "libera", "bob"),))
        return "Bob|home"

    assert said(reply(known("hi", last=True)), replace(PLACE, nick_of=nick_of)) == ["<alice> Bob|home: yes"]


def test_somebody_said_elsewhere_is_called_by_their_nick_if_the_reply_mentions_them() -> None:
    place = replace(CROWDED, nick_of=lambda who: "al" if who.user == "carol" else None)
    item = reply(known("hi", CAROL, last=True))
    assert said(item, place) == ["<alice> c\u200barol: yes"]
    mentioning = replace(item, event=replace(item.event, mentioned=(Mentioned("@carol:hs", "carol", ()),)))
    assert said(mentioning, place) == ["<alice> al: yes"]


def test_the_reply_of_a_guest_calls_nobody() -> None:
    guest = replace(matrix("eve"), note="guest")
    place = replace(CROWDED, nick_of=lambda _: "bob")
    assert said(reply(known("hi", last=True), sender=guest), place) == ["<eve (guest)> b\u200bob: yes"]
    assert said(reply(known("hi"), sender=guest), place) == ['<eve (guest)> (re b\u200bob: "hi") yes']


def test_the_reply_of_a_bot_calls_the_one_who_asked_and_a_bot_is_called_by_its_name() -> None:
    duck = Sender(BOTS, "duck", "Little Yellow Duck", bot=True)
    assert said(reply(known("hi", last=True), sender=duck), CROWDED) == ["<Little Yellow Duck> bob: yes"]
    assert said(reply(known("quack", duck, last=True)), CROWDED) == ["<alice> Little Yellow Duck: yes"]


def test_the_reply_tag_is_the_last_id_of_what_is_answered_where_tags_may_be_sent() -> None:
    item = reply(known("hi", last=True), "yes\nno")
    tagged = operations(item, replace(PLACE, tags=True))
    assert [each.reply for each in tagged if isinstance(each, Say)] == ["m2", ""]
    assert [each.reply for each in operations(item) if isinstance(each, Say)] == ["", ""]
    nowhere = reply(known("hi", ids=()))
    assert [each.reply for each in operations(nowhere, replace(PLACE, tags=True)) if isinstance(each, Say)] == [""]


def in_thread(number: int = 1, *, reply_to: EventKey | None = None, context: tuple[Known, ...] = ()) -> Owed:
    return owed(Message(words("yes"), reply_to=reply_to, thread=ROOT), number, context=context)


def test_a_message_in_a_thread_says_which_one_unless_the_thread_was_spoken_in_last() -> None:
    root = known("what about lunch?", source=ROOT)
    assert said(in_thread(context=(root,))) == ['<alice> (thread: "what about lunch?") yes']
    assert said(in_thread(context=(replace(root, last=True),))) == ["<alice> yes"]
    assert said(in_thread(context=(replace(root, removed=True),))) == ["<alice> (thread) yes"]
    assert said(in_thread()) == ["<alice> yes"]
    both = [in_thread(1, context=(root,)), in_thread(2, context=(root,))]
    assert said(both) == ['<alice> (thread: "what about lunch?") yes', "<alice> yes"]
    apart = [both[0], owed(Message(words("hm")), 3), both[1]]
    assert said(apart)[2] == '<alice> (thread: "what about lunch?") yes'


def test_a_reply_in_a_thread_quotes_what_it_answers_and_says_that_it_is_in_a_thread() -> None:
    root, answered = known("what about lunch?", source=ROOT), known("pizza", CAROL)
    item = in_thread(reply_to=TARGET, context=(root, answered))
    assert said(item) == ['<alice> (thread, re carol: "pizza") yes']
    assert said(item, how=Presentation(quotation="> {words} | ")) == ["<alice> (thread) > pizza | yes"]
    assert said(in_thread(reply_to=ROOT, context=(root,))) == ['<alice> (re bob: "what about lunch?") yes']
    assert said(in_thread(reply_to=TARGET, context=(root, replace(answered, last=True)))) == ["<alice> carol: yes"]


def test_a_long_quotation_and_a_long_name_leave_room_for_the_words() -> None:
    who = replace(CAROL, name="🦆" * 64)
    lines = said(reply(known("🦆 " * 300, who), "word " * 100))
    assert all(line.startswith("<alice> ") for line in lines)
    assert " ".join(lines).count("word") == 100
