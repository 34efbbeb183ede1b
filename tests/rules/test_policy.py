"""Who may speak, and what is carried: each refusal with its reason."""

import time
from dataclasses import replace

import pytest

from bridge.model.event import Event, Kind, Origin
from bridge.model.patterns import Pattern
from bridge.model.people import Identity, Proof, Sender
from bridge.rules import policy
from bridge.rules.case import Case, Refusal, Told
from bridge.rules.link import Answers, Guests, Link, Rules
from bridge.rules.routing import asks, ear
from bridge.users import Measure, Sanction, User
from tests.events import HOME, LIBERA, answer, irc, matrix, said

NAMES = ("duck", "Little Yellow Duck")
ALICE = User("Alice")
DEFAULT = Rules()


def judge(event: Event, user: User | None, sanction: Sanction | None, rules: Rules) -> Refusal | None:
    """What becomes of `event` in a link with these rules."""
    return policy.judge(Case(event, Link("pond", (event.room,), rules), user, sanction))


def refused(event: Event, user: User | None, sanction: Sanction | None = None, rules: Rules = DEFAULT) -> Refusal:
    refusal = judge(event, user, sanction, rules)
    assert refusal is not None
    return refusal


@pytest.mark.parametrize("guests", list(Guests))
def test_a_member_is_carried_whatever_becomes_of_guests(guests: Guests) -> None:
    assert judge(said(HOME, matrix("alice"), "hi"), ALICE, None, Rules(guests)) is None


def test_a_guest_is_refused_with_a_reason_and_told_and_the_duck_hears() -> None:
    refusal = refused(said(LIBERA, irc("mallory"), "hi"), None)
    assert refusal == Refusal("not a member", Told.HINT, heard=True)


def test_a_replayed_line_without_a_proof_is_refused_as_anybodys() -> None:
    unproven = replace(said(LIBERA, irc("alice"), "duck: hi"), origin=Origin.REPLAYED)
    refusal = refused(unproven, None)
    assert refusal.reason == "sent while the bridge was away, and the network does not prove by whom"
    assert (refusal.told, refusal.heard) == (Told.NOTHING, False)
    assert judge(unproven, None, None, Rules(Guests.RELAY)) is None
    assert judge(unproven, ALICE, None, DEFAULT) is None, "who is a user was proven by something"
    proven = replace(said(HOME, matrix("mallory"), "hi"), origin=Origin.REPLAYED)
    assert refused(proven, None) == Refusal("not a member", Told.HINT, heard=True)


def test_a_guest_is_carried_where_the_link_relays_guests() -> None:
    assert judge(said(LIBERA, irc("mallory"), "hi"), None, None, Rules(Guests.RELAY)) is None


def test_an_ignored_guest_is_told_nothing_and_heard_by_nobody() -> None:
    refusal = refused(said(LIBERA, irc("mallory"), "hi"), None, rules=Rules(Guests.IGNORE))
    assert (refusal.told, refusal.heard) == (Told.NOTHING, False)


def test_a_user_who_is_not_among_a_links_members_is_a_guest_there_and_told_why() -> None:
    rules = Rules(members=frozenset({"bob"}))
    refusal = refused(said(HOME, matrix("alice"), "hi"), ALICE, rules=rules)
    assert refusal == Refusal("not a member of this link", Told.REASON, heard=True)
    assert judge(said(HOME, matrix("alice"), "hi"), ALICE, None, Rules(members=frozenset({"alice"}))) is None


def test_who_is_muted_may_still_ask_the_duck_and_who_is_banned_may_not() -> None:
    for measure, heard in ((Measure.MUTE, True), (Measure.BAN, False)):
        sanction = Sanction("alice", measure, None, 0.0, 86_400.0, "spam", "root")
        for guests in Guests:
            refusal = refused(said(HOME, matrix("alice"), "hi"), ALICE, sanction, Rules(guests))
            assert (refusal.told, refusal.heard) == (Told.REASON, heard)
            assert refusal.reason == f"{'muted' if heard else 'banned'} until 1970-01-02 00:00 UTC: spam"


@pytest.mark.parametrize(
    ("pattern", "event"),
    [
        ("@*:hs", said(HOME, matrix("alice"), "hi")),
        ("libera/spam*", said(LIBERA, irc("x", "SpamBot"), "hi")),
        ("text:*buy followers*", said(HOME, matrix("alice"), "Please\n BUY  followers now")),
        ("TEXT:hi", said(HOME, matrix("alice"), "HI")),
    ],
)
def test_what_a_link_ignores_is_refused_also_of_members_and_told_to_nobody(pattern: str, event: Event) -> None:
    rules = Rules(Guests.RELAY, ignore=(Pattern.parse("text:*never said*"), Pattern.parse(pattern)))
    refusal = refused(event, ALICE, rules=rules)
    assert refusal == Refusal(f"ignored by {pattern}", Told.NOTHING, heard=False)


@pytest.mark.parametrize(
    "text",
    [
        "\n" * 5000 + "buy followers",
        " " * 5000 + "buy followers",
        "b\u200du\ufe0fy\U000e0100 fol\u200clow\u2060ers",
        "ｂｕｙ ＦＯＬＬＯＷＥＲＳ",
        "\u202ebuy followers",
        "buy\u3000followers",
        "hi\nbuy followers\nbye",
        "hi\u2028BUY\tFOLLOWERS\rbye",
        "ﬁne\nbuy followers",
    ],
)
def test_words_are_compared_as_people_see_them(text: str) -> None:
    rules = Rules(Guests.RELAY, ignore=(Pattern.parse("text:buy followers"),))
    refusal = judge(said(HOME, matrix("alice"), text), ALICE, None, rules)
    assert refusal == Refusal("ignored by text:buy followers", Told.NOTHING, heard=False)


def test_a_pattern_of_words_is_read_as_people_see_it_too() -> None:
    rules = Rules(Guests.RELAY, ignore=(Pattern.parse("text:ｂｕｙ*"),))
    assert judge(said(HOME, matrix("alice"), "buy it"), ALICE, None, rules) is not None


def test_nothing_is_ignored_by_an_empty_list() -> None:
    assert judge(said(HOME, matrix("alice"), ""), ALICE, None, Rules(ignore=())) is None


@pytest.mark.parametrize(
    "written", ["", " ", "*", "@*:*", "libera/*", "libera/*!*@*", "text:*", "text:?* *", "hi", "@x", "/a"]
)
def test_a_pattern_that_would_fit_everybody_or_is_none_is_an_error(written: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|fit everybody|Matrix id"):
        Pattern.parse(written)


def test_no_message_makes_a_pattern_take_long() -> None:
    rules = Rules(ignore=tuple(Pattern.parse(f"text:*{'a*' * 100}b?{number}") for number in range(20)))
    before = time.process_time()
    judge(said(HOME, matrix("alice"), "a" * 60_000), ALICE, None, rules)
    assert time.process_time() - before < 2  # a matcher that goes back would take years


def test_a_password_is_refused_whoever_says_it_and_nobody_hears_it() -> None:
    public = refused(said(HOME, matrix("alice"), "login alice quack"), ALICE)
    assert public == Refusal("it may contain a password", Told.ADVICE, heard=False, secret=True)
    private = refused(said(HOME, matrix("alice"), "login", private=True), None, rules=Rules(Guests.RELAY))
    assert private == Refusal("it may contain a password", Told.NOTHING, heard=False, secret=True)


def test_who_shows_a_password_by_a_notice_is_told_too() -> None:
    refusal = refused(said(HOME, matrix("alice"), "login alice quack", kind=Kind.NOTICE), ALICE)
    assert refusal.told is Told.ADVICE


def test_an_account_pattern_is_about_accounts_and_not_about_masks() -> None:
    sender = Sender("libera", "x", "x", (Identity(Proof.IRC_MASK, "libera", "spam!u@h"),), mask="spam!u@h")
    rules = Rules(Guests.RELAY, ignore=(Pattern.parse("libera/spam*"),))
    assert judge(said(LIBERA, sender, "hi"), None, None, rules) is None


def test_nobody_is_told_anything_because_of_a_notice_or_a_bot() -> None:
    for event in (said(LIBERA, irc("x"), "hi", kind=Kind.NOTICE), said(LIBERA, irc("x", bot=True), "hi")):
        assert refused(event, None).told is Told.NOTHING


def test_what_a_bot_of_ours_says_is_carried() -> None:
    assert judge(answer(ear("duck", "pond"), "login alice quack"), None, None, Rules(Guests.IGNORE)) is None


def test_a_bot_is_asked_by_its_name_or_the_name_of_our_account() -> None:
    assert asks(said(HOME, matrix("alice"), "duck: hi"), NAMES, Answers.MENTIONED)
    assert asks(said(HOME, matrix("alice"), "littleduck hi", called="littleduck"), NAMES, Answers.MENTIONED)
    assert not asks(said(HOME, matrix("alice"), "hi all"), NAMES, Answers.MENTIONED)


def test_a_private_word_is_always_a_question() -> None:
    assert asks(said(LIBERA, irc("bob"), "hi", private=True), NAMES, Answers.MENTIONED)


@pytest.mark.parametrize("answers", list(Answers))
def test_no_bot_is_asked_by_a_notice_or_by_another_bot(answers: Answers) -> None:
    assert not asks(said(LIBERA, irc("bob"), "duck: hi", kind=Kind.NOTICE), NAMES, answers)
    assert not asks(said(LIBERA, irc("bob", bot=True), "duck: hi", private=True), NAMES, answers)


def test_a_bot_answers_everything_or_nothing_where_it_is_told_to() -> None:
    assert asks(said(HOME, matrix("alice"), "hi all"), NAMES, Answers.ALWAYS)
    assert not asks(said(HOME, matrix("alice"), "duck: hi"), NAMES, Answers.NEVER)
