"""Commands among ordinary talk: what is one, what is not, and what settings change."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bots.brains.commands import Commands
from bots.commands import finding
from tests.bots.commands.talk import Talk, guest, private, user

ALICE = user("alice")


@pytest.mark.parametrize(
    "text",
    [
        "help me with my homework please",
        "help",  # see below: the only one that is a command
        "time flies",
        "time is money",
        "time out!",
        "ping pong is fun",
        "roll the dice, will you",
        "roll up",
        "choose wisely",
        "choose life",
        "calculate the odds",
        "remind me of my mother",
        "remind me why we do this",
        "tell me a joke",
        "tell us about ducks",
        "tell him I said hi",
        "tell stories",
        "seen any good movies lately?",
        "seen it",
        "seen",
        "poll tax is unfair",
        "vote for me",
        "delete my account",
        "delete everything",
        "zone of silence",
        "list reminders of my childhood",
        "end poll dancing",
        "weather is nice",
        "title of the song?",
        "karma is a bitch",
        "karma",
        "reminders are annoying",
        "pingu",
        "timeout",
        "hello there",
        "what time is it worth?",
        "",
        "?",
        "ping " * 300,
        "roll 2d6\nand more",
    ],
    ids=range(40),
)
async def test_ordinary_talk_is_left_to_the_next_brain(text: str) -> None:
    assert (await Talk().say(ALICE, text) is None) == (text != "help")


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("PING", "pong"),
        ("ping!", "pong"),
        ("Ping?", "pong"),
        ("`ping`", "pong"),
        ("  roll   2d6 ", "2d6: "),
        ("pick a, b or c", ""),
        ("What time is it?", "UTC: Friday"),
        ("time in Berlin?", "Berlin: Friday, 27 November 2026, 21:30 (CET, UTC+1)"),
        ("Time nowhere", "I know no city called nowhere. Say a large one near there"),
        ("what time is it in the middle of\u202e", "I know no city called the middle of. "),
        ("calc 2+2=?", "4"),
        ("calc pi * 2", "6.28"),
        ("calc 2 +", "I cannot: I did not expect the end there."),
        ("remind me at 25 o'clock", "I do not understand when."),
        ("remind me in 10 minutes", "I cannot: say what of"),
        ("help nosuchthing", ""),
        ("help remind me", "remind me WHEN to WHAT: "),
        ("zone Europe/Atlantis", "I know no such zone"),
        ("reminders", "You have no reminders."),
        ("vote 1", "There is no poll here."),
    ],
)
async def test_commands_are_taken_in_any_case_with_any_marks(text: str, begins: str) -> None:
    assert (await Talk().say(ALICE, text) or "").startswith(begins)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("rol 2d6", "roll 2d6"),
        ("Rolll d20 + 3", "roll d20 + 3"),
        ("cacl 2+3", "calc 2+3"),
        ("chose tea | coffee", "choose tea | coffee"),
        ("remnid me in 10 minutes to feed the duck", "remind me in 10 minutes to feed the duck"),
        ("tmie in berlin", "time in berlin"),
        ("vot 2", "vote 2"),
        ("tel bob: hi\u202e", "tell bob: hi"),
    ],
)
async def test_who_mistypes_a_command_is_asked_what_they_meant(text: str, meant: str) -> None:
    assert await Talk().say(ALICE, text) == f"Did you mean: {meant}"
    assert await Talk(settings=Commands.Settings(prefix="!")).say(ALICE, f"!{text}") == f"Did you mean: !{meant}"
    await Talk().hear(ALICE, text)


@pytest.mark.parametrize(
    "text",
    ["role models", "note 2 self", "been there", "calm down", "sell bob", "reminds me of mum", "tall bob", "rol"],
)
async def test_words_that_are_almost_commands_are_left_to_the_next_brain(text: str) -> None:
    assert await Talk().say(ALICE, text) is None


async def test_what_is_merely_heard_is_never_answered() -> None:
    talk = Talk(settings=Commands.Settings(karma=True))
    for command in finding.ALL:
        for sample in command.samples:
            await talk.hear(ALICE, sample.said)
    assert talk.said == []
    assert talk.told == []


async def test_help_tells_a_guest_how_to_become_a_member_and_members_not() -> None:
    said = await Talk().say(guest("eve"), "help") or ""
    assert "nly members are carried" in said
    assert "say `request` to me" in said
    for who in (ALICE, private(ALICE), private(guest("eve")), replace(guest("eve"), carried=True)):
        assert "request" not in (await Talk().say(who, "help") or "request")


async def test_with_a_prefix_commands_begin_with_it_and_only_then() -> None:
    talk = Talk(settings=Commands.Settings(prefix="!"))
    assert await talk.say(ALICE, "!ping") == "pong"
    assert await talk.say(ALICE, "! ping") == "pong"
    assert await talk.say(ALICE, "ping") is None
    assert await talk.say(ALICE, "!nosuch") is None
    assert "Example: `!roll 2d6`" in (await talk.say(ALICE, "!help !roll") or "")


async def test_commands_may_be_disabled_and_have_more_names() -> None:
    talk = Talk(
        settings=Commands.Settings(disabled=("ping", "calculate"), aliases={"dice": "roll", "pingping": "ping"})
    )
    assert await talk.say(ALICE, "ping") is None
    assert await talk.say(ALICE, "calc 1+1") is None
    assert (await talk.say(ALICE, "dice 2d6") or "").startswith("2d6: ")
    assert "ping" not in (await talk.say(ALICE, "help") or "").replace("ping ", "")


def test_karma_weather_and_titles_are_off_at_first() -> None:
    names = {each.name for each in finding.chosen((), {}, frozenset()).values()}
    assert names.isdisjoint({"karma", "weather", "title"})
    assert len(names) == len(finding.ALL) - 3


@pytest.mark.parametrize(
    "settings",
    [
        {"disabled": ["nosuch"]},
        {"aliases": {"dice": "nosuch"}},
        {"aliases": {"ping": "roll"}},
        {"zone": "Europe/Atlantis"},
        {"weather": "https://weather.example/"},
        {"titles": "file:///{url}"},
        {"prefix": "!!!!!!"},
        {"prefix": " "},
        {"aliases": {"Roll": "choose"}},
        {"aliases": {"": "choose"}},
        {"nosuch": 1},
    ],
    ids=range(11),
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Commands.Settings.model_validate(settings)


_PARTS = st.sampled_from(
    [
        *sorted(finding.NAMES),
        "2d6",
        "a | b",
        "in 10 minutes",
        "to go",
        "every monday",
        "at 9",
        "bob",
        "@bob:",
        "++",
        "1",
        "(",
        "?",
        "é",
    ]
)


@given(st.lists(_PARTS | st.text(max_size=5), max_size=8).map(" ".join), st.booleans())
async def test_whatever_is_said_is_answered_in_words_or_not_at_all(text: str, is_private: bool) -> None:
    talk = Talk(settings=Commands.Settings(karma=True))
    for who in (ALICE, guest("eve")):
        said = await talk.say(private(who) if is_private else who, text)
        assert said is None or 0 < len(said) < 3000


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("calc", "Say: calc SUM. For example: `calc 2 + 3 * (4 - 1)`"),
        ("remind me", "Say: remind me WHEN to WHAT. For example: `remind me in 10 minutes to feed the duck`"),
        ("tell", "Say: tell NAME TEXT. For example: `tell bob the duck is fed`"),
        ("vote", "Say: vote NUMBER. For example: `vote 2`"),
        ("roll 999999999999d6", "I roll 1 to 50 dice of 2 to 1000 sides."),
    ],
)
async def test_a_command_without_what_it_needs_is_explained(text: str, answer: str) -> None:
    assert await Talk().say(ALICE, text) == answer
