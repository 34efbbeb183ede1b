"""Who may speak, and what is carried: each refusal with its reason."""

from dataclasses import replace

import pytest

from bridge.model.accounting import Cause
from bridge.model.answering import Answers
from bridge.model.event import Event, Kind, Origin
from bridge.model.patterns import Pattern
from bridge.model.people import Identity, Proof, Sender
from bridge.rules import policy
from bridge.rules.case import Case, Refusal, Told
from bridge.rules.link import Guests, Link, Rules
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
def test_a_member_is_carried_whatever_the_rule_for_guests_is(guests: Guests) -> None:
    assert judge(said(HOME, matrix("alice"), "hi"), ALICE, None, Rules(guests)) is None


def test_a_guest_is_refused_with_a_hint_and_is_heard_by_the_bots() -> None:
    refusal = refused(said(LIBERA, irc("mallory"), "hi"), None)
    assert refusal == Refusal("not a member", Told.HINT, Cause.GUEST, heard=True)


def test_a_replayed_message_without_proof_is_refused_unless_guests_are_relayed() -> None:
    unproven = replace(said(LIBERA, irc("alice"), "duck: hi"), origin=Origin.REPLAYED)
    refusal = refused(unproven, None)
    assert refusal.reason == "sent while the bridge was away, and the network does not prove by whom"
    assert (refusal.told, refusal.heard) == (Told.NOTHING, False)
    assert judge(unproven, None, None, Rules(Guests.RELAY)) is None
    assert judge(unproven, ALICE, None, DEFAULT) is None, "who is a user was proven by something"
    proven = replace(said(HOME, matrix("mallory"), "hi"), origin=Origin.REPLAYED)
    assert refused(proven, None) == Refusal("not a member", Told.HINT, Cause.GUEST, heard=True)


def test_a_guest_is_carried_where_the_link_relays_guests() -> None:
    assert judge(said(LIBERA, irc("mallory"), "hi"), None, None, Rules(Guests.RELAY)) is None


def test_an_ignored_guest_is_told_nothing_and_is_heard_by_no_bot() -> None:
    refusal = refused(said(LIBERA, irc("mallory"), "hi"), None, rules=Rules(Guests.IGNORE))
    assert (refusal.told, refusal.heard) == (Told.NOTHING, False)


def test_a_user_who_is_not_a_member_of_the_link_is_refused_with_that_reason() -> None:
    rules = Rules(members=frozenset({"bob"}))
    refusal = refused(said(HOME, matrix("alice"), "hi"), ALICE, rules=rules)
    assert refusal == Refusal("not a member of this link", Told.REASON, Cause.GUEST, heard=True)
    assert judge(said(HOME, matrix("alice"), "hi"), ALICE, None, Rules(members=frozenset({"alice"}))) is None


def test_a_muted_user_may_still_ask_the_bots_and_a_banned_user_may_not() -> None:
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
def test_a_message_that_a_link_ignores_is_refused_silently_also_from_members(pattern: str, event: Event) -> None:
    rules = Rules(Guests.RELAY, ignore=(Pattern.parse("text:*never said*"), Pattern.parse(pattern)))
    refusal = refused(event, ALICE, rules=rules)
    assert refusal == Refusal(f"ignored by {pattern}", Told.NOTHING, Cause.IGNORED, heard=False)


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
def test_an_ignore_pattern_matches_text_despite_invisible_and_lookalike_characters(text: str) -> None:
    rules = Rules(Guests.RELAY, ignore=(Pattern.parse("text:buy followers"),))
    refusal = judge(said(HOME, matrix("alice"), text), ALICE, None, rules)
    assert refusal == Refusal("ignored by text:buy followers", Told.NOTHING, Cause.IGNORED, heard=False)


def test_lookalike_characters_in_an_ignore_pattern_match_ordinary_text() -> None:
    rules = Rules(Guests.RELAY, ignore=(Pattern.parse("text:ｂｕｙ*"),))
    assert judge(said(HOME, matrix("alice"), "buy it"), ALICE, None, rules) is not None


def test_an_empty_ignore_list_ignores_nothing() -> None:
    assert judge(said(HOME, matrix("alice"), ""), ALICE, None, Rules(ignore=())) is None


@pytest.mark.parametrize(
    "written", ["", " ", "*", "@*:*", "libera/*", "libera/*!*@*", "text:*", "text:?* *", "hi", "@x", "/a"]
)
def test_a_pattern_that_fits_everybody_or_is_malformed_is_an_error(written: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|fit everybody|Matrix id"):
        Pattern.parse(written)


def test_no_long_message_makes_ignore_patterns_slow() -> None:
    rules = Rules(ignore=tuple(Pattern.parse(f"text:*{'a*' * 100}b?{number}") for number in range(20)))
    refused = judge(said(HOME, matrix("alice"), "a" * 60_000), ALICE, None, rules)
    assert refused is None  # a matcher that goes back would take years: the test's time limit would end it


def test_a_message_with_a_password_is_refused_and_heard_by_no_bot_whoever_sends_it() -> None:
    public = refused(said(HOME, matrix("alice"), "login alice quack"), ALICE)
    assert public == Refusal("it may contain a password", Told.ADVICE, Cause.PASSWORD, heard=False, secret=True)
    private = refused(said(HOME, matrix("alice"), "login", private=True), None, rules=Rules(Guests.RELAY))
    assert private == Refusal("it may contain a password", Told.NOTHING, Cause.PASSWORD, heard=False, secret=True)


def test_a_user_who_shows_a_password_in_a_notice_gets_advice_too() -> None:
    refusal = refused(said(HOME, matrix("alice"), "login alice quack", kind=Kind.NOTICE), ALICE)
    assert refusal.told is Told.ADVICE


def test_an_account_pattern_is_about_accounts_and_not_about_masks() -> None:
    sender = Sender("libera", "x", "x", (Identity(Proof.IRC_MASK, "libera", "spam!u@h"),), mask="spam!u@h")
    rules = Rules(Guests.RELAY, ignore=(Pattern.parse("libera/spam*"),))
    assert judge(said(LIBERA, sender, "hi"), None, None, rules) is None


def test_a_notice_or_a_message_of_a_bot_is_refused_without_telling_anybody() -> None:
    for event in (said(LIBERA, irc("x"), "hi", kind=Kind.NOTICE), said(LIBERA, irc("x", bot=True), "hi")):
        assert refused(event, None).told is Told.NOTHING


def test_an_answer_of_our_own_bot_is_carried() -> None:
    assert judge(answer(ear("duck", "pond"), "login alice quack"), None, None, Rules(Guests.IGNORE)) is None


def test_a_bot_is_asked_by_its_name_or_the_name_of_our_account() -> None:
    assert asks(said(HOME, matrix("alice"), "duck: hi"), NAMES, Answers.MENTIONED)
    assert asks(said(HOME, matrix("alice"), "littleduck hi", called="littleduck"), NAMES, Answers.MENTIONED)
    assert not asks(said(HOME, matrix("alice"), "hi all"), NAMES, Answers.MENTIONED)


def test_a_private_message_always_asks_the_bot() -> None:
    assert asks(said(LIBERA, irc("bob"), "hi", private=True), NAMES, Answers.MENTIONED)


@pytest.mark.parametrize("answers", list(Answers))
def test_no_bot_is_asked_by_a_notice_or_by_another_bot(answers: Answers) -> None:
    assert not asks(said(LIBERA, irc("bob"), "duck: hi", kind=Kind.NOTICE), NAMES, answers)
    assert not asks(said(LIBERA, irc("bob", bot=True), "duck: hi", private=True), NAMES, answers)


def test_a_bot_is_asked_by_every_message_with_always_and_by_none_with_never() -> None:
    assert asks(said(HOME, matrix("alice"), "hi all"), NAMES, Answers.ALWAYS)
    assert not asks(said(HOME, matrix("alice"), "duck: hi"), NAMES, Answers.NEVER)
