"""Which post costs us the connection: guilty after the second word of the server, or the third silent cut."""

import asyncio

import pytest

from bridge.irc.doubts import Doubts


@pytest.fixture
def doubts() -> Doubts:
    return Doubts(lambda: 0.0)


def test_a_server_that_throws_us_out_twice_for_a_post_proves_its_guilt(doubts: Doubts) -> None:
    doubts.lost("p", "Killed (spam)", cut_off=True, expelled=True)
    assert doubts.is_suspect("p")
    assert not doubts.guilt("p")
    doubts.lost("p", "Killed (spam)", cut_off=True, expelled=True)
    assert doubts.guilt("p") == "the server threw us out 2 times when we sent it (Killed (spam))"


def test_a_server_that_says_nothing_has_to_cut_us_off_three_times(doubts: Doubts) -> None:
    for _ in range(3):
        assert not doubts.guilt("p")
        doubts.lost("p", "the server closed the connection", cut_off=True, expelled=False)
    assert doubts.guilt("p")


def test_a_connection_that_we_gave_up_ourselves_proves_nothing(doubts: Doubts) -> None:
    for _ in range(10):
        doubts.lost("p", "no proof of delivery within 30 s", cut_off=False, expelled=False)
    assert not doubts.guilt("p")
    assert not doubts.is_suspect("p")


def test_a_post_that_arrives_in_the_end_is_no_suspect_any_more(doubts: Doubts) -> None:
    doubts.lost("p", "Killed", cut_off=True, expelled=True)
    doubts.settled("p")
    assert not doubts.any
    doubts.lost("p", "Killed", cut_off=True, expelled=True)
    assert not doubts.guilt("p")


async def test_posts_go_one_at_a_time_while_one_is_in_doubt(doubts: Doubts) -> None:
    async with doubts.turn() as alone, doubts.turn():
        assert not alone
    doubts.lost("p", "Killed", cut_off=True, expelled=True)
    async with doubts.turn() as alone:
        assert alone
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1), doubts.turn():
                pass


def test_a_doubt_that_nobody_settles_ends_after_an_hour() -> None:
    now = 0.0
    doubts = Doubts(lambda: now)
    doubts.lost("dropped by hand", "Killed", cut_off=True, expelled=True)
    assert doubts.any
    now = 3_600.0
    assert not doubts.any
