"""What people say to a bot about its manners, in five languages, and what only looks like it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.attention.phrases import Kind, Order, is_to_somebody, order
from tests.strategies import runs, with_runs


@pytest.mark.parametrize(
    "text",
    [
        "thanks",
        "Thank you!",
        "THANKS :-)",
        "ok, thanks a lot",
        "thank you very much, bye",
        "that's all",
        "That\u2019s all, thanks!",
        "bye bye",
        "thx",
        "no thanks",
        "Vielen Dank!",
        "Danke schön",
        "danke, das war's",
        "tschüss",
        "¡Muchas gracias!",
        "gracias, adiós",
        "eso es todo",
        "Merci beaucoup",
        "merci, c'est tout",
        "À bientôt !",
        "谢谢",
        "谢谢你！",
        "好的，谢谢，再见",
        "謝謝",
        "\uff34hanks",
        "th\u200bank you \U0001f44d",
    ],
)
def test_thanks_and_goodbyes_end_a_talk(text: str) -> None:
    assert order(text) == Order(Kind.LEAVE)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("be quiet", 60),
        ("quiet!", 60),
        ("shut up", 60),
        ("Please be quiet for 30m", 30),
        ("quiet for an hour", 60),
        ("be quiet for half an hour please", 30),
        ("be quiet for the next 2 hours", 120),
        ("quiet for 1h 30m", 90),
        ("hush for a day", 1440),
        ("be quiet for 3 days", 1440),
        ("quiet 99999999999999999999999999999999999 h", 1440),
        ("thanks, now be quiet for ten minutes", 10),
        ("sei still", 60),
        ("Sei bitte eine halbe Stunde ruhig", None),
        ("sei ruhig für eine Stunde", 60),
        ("Ruhe für 20 Minuten bitte!", 20),
        ("halt die Klappe", 60),
        ("¡Cállate!", 60),
        ("cállate por media hora", 30),
        ("silencio durante 30 minutos, por favor", 30),
        ("tais-toi", 60),
        ("Tais-toi pendant une heure, s'il te plaît", 60),
        ("chut", 60),
        ("安静", 60),
        ("请安静一小时", 60),
        ("安静一个小时", 60),
        ("闭嘴30分钟", 30),
        ("安静半小时吧", 30),
        ("安静2个小时", 120),
        ("quiet for 10 seconds", 1 / 6),
    ],
)
def test_a_bot_is_told_to_be_quiet_for_some_time_at_most_a_day(text: str, minutes: float | None) -> None:
    assert order(text) == (None if minutes is None else Order(Kind.HUSH, minutes * 60))


@pytest.mark.parametrize(
    "text", ["wake up", "Speak!", "you may speak again", "wach auf", "despierta", "réveille-toi", "醒醒", "可以说话了"]
)
def test_a_bot_is_woken(text: str) -> None:
    assert order(text) == Order(Kind.WAKE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "?!",
        "ok",
        "now",
        "duck",
        "for an hour",
        "30m",
        "thanks for the fish",
        "thanks for 5 minutes",
        "how do I say thanks in German?",
        "is it quiet here?",
        "be quiet for me",
        "quiet for an eternity",
        "speak about ducks",
        "wake me up at 7",
        "bye means goodbye",
        "谢谢是什么意思",
        "thanks " * 40,
    ],
)
def test_whatever_says_more_is_no_order(text: str) -> None:
    assert order(text, ["duck"]) is None


@pytest.mark.parametrize("text", ["thanks duck", "Duck, thank you", "thanks, DUCK!", "ok duck thanks", "谢谢duck"])
def test_the_name_of_the_bot_may_stand_anywhere(text: str) -> None:
    assert order(text, ["duck", "Little Yellow Duck", "", "!"]) == Order(Kind.LEAVE, named=True)
    assert order(text, ["goose"]) is None


def test_a_name_may_have_several_words_and_be_chinese() -> None:
    assert order("be quiet, little yellow duck", ["Little Yellow Duck"]) == Order(Kind.HUSH, 3600, named=True)
    assert order("谢谢小鸭", ["小鸭"]) == Order(Kind.LEAVE, named=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bob: what do you think?", True),
        ("  bob : hi", True),
        ("@bob hi", True),
        ("bob, carol: hi", True),
        ("bob & carol: hi", True),
        ("bob:", True),
        ("小明：你好", True),
        ("Carol, look", True),
        ("carol smith, look", True),
        ("dave, look", False),
        ("well, what about ducks?", False),
        ("carol is here", False),
        ("https://example.org/ is down", False),
        ("it is 12:30 now", False),
        ("12:30 works", False),
        ("what is this: a duck?", False),
        (":-) fine", False),
        ("@ home", False),
        ("", False),
    ],
)
def test_what_begins_with_a_persons_name_is_to_them(text: str, *, expected: bool) -> None:
    assert is_to_somebody(text, ["carol", "Carol Smith", ""]) is expected


@given(with_runs(st.text(max_size=200), " \t\n,&:@aa\u200b\u0301谢1"), st.lists(st.text(max_size=30), max_size=5))
def test_any_text_is_read(text: str, names: list[str]) -> None:
    found = order(text, names)
    assert found is None or 0 <= found.seconds <= 86_400
    assert is_to_somebody(text, names) in {True, False}


@given(runs("a&,: @1谢\ufdfa", 4_000), runs("a&,: @", 4_000))
def test_long_texts_take_no_long_time(one: str, other: str) -> None:
    assert order(one + other) is None or len(one + other) <= 120
    assert is_to_somebody("a&" * 2_000 + one, [other]) is False
