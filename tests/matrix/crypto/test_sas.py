"""Comparing emoji (bridge.matrix.crypto.verification.sas), against a side that asks which shares no code with it."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
import vodozemac
from hypothesis import given
from hypothesis import strategies as some
from nio.crypto.sas import Sas as Nio

from bridge.matrix.crypto.verification.emoji import EMOJI
from bridge.matrix.crypto.verification.sas import Code, End, Exchange, Message, Side
from tests.matrix.crypto.asker import METHOD, OFFERS, Asker

_US, _ANN = "@duck:hs", "@ann:hs"


def _key() -> str:
    return vodozemac.Account().ed25519_key.to_base64()


_MASTER, _OURS = _key(), _key()
_ANNS = {"ed25519:ANN": _key(), f"ed25519:{_MASTER}": _MASTER}
_DUCKS = {"ed25519:DUCK": _key(), f"ed25519:{_OURS}": _OURS}


def _two(*, in_room: bool = False) -> tuple[Asker, Exchange]:
    ann = Asker(_ANN, "ANN", _ANNS, _US)
    ann.transaction = "$request" if in_room else "t1"
    relates = {"m.relates_to": {"rel_type": "m.reference", "event_id": "$request"}}
    ann.places = relates if in_room else {"transaction_id": "t1"}
    ann.theirs = _DUCKS
    return ann, Exchange(ann.transaction, Side(_US, "DUCK", _DUCKS), Side(_ANN, "ANN", _ANNS))


def _only(messages: Sequence[Message], kind: str) -> dict[str, Any]:
    """The content of the one message of that kind, as it arrives."""
    assert [message.kind for message in messages] == [kind]
    return dict(json.loads(json.dumps(messages[0].content)))


def _code(messages: Sequence[Message]) -> str:
    cancelled = _only(messages, "cancel")
    assert cancelled["reason"]
    return str(cancelled["code"])


def _shown(ann: Asker, duck: Exchange) -> None:
    """Both come to the point where people compare."""
    accept = _only(duck.hear("start", ann.start(_only(duck.ready(ann.request()), "ready"))), "accept")
    ann.show(_only(duck.hear("key", ann.key(accept)), "key"))


def test_the_emoji_are_those_of_the_table_in_the_specification() -> None:
    assert [symbol for symbol, _ in EMOJI] == [symbol for symbol, _ in Nio.emoji]
    assert len({name for _, name in EMOJI}) == 64
    assert (EMOJI[0], EMOJI[34], EMOJI[63]) == (("🐶", "Dog"), ("🔧", "Spanner"), ("📌", "Pin"))


@pytest.mark.parametrize("in_room", [False, True])
@pytest.mark.parametrize("they_are_first", [False, True])
def test_both_see_the_same_and_vouch_for_their_keys_once_people_say_so(in_room: bool, they_are_first: bool) -> None:
    ann, duck = _two(in_room=in_room)
    _shown(ann, duck)
    assert duck.shown is not None
    assert duck.waits
    assert [symbol for symbol, _ in duck.shown.emoji] == [EMOJI[number][0] for number in ann.emoji]
    assert duck.shown.numbers == tuple(ann.numbers)
    if they_are_first:
        assert duck.hear("mac", ann.mac()) == ()
        mac, done = duck.answer(same=True)
    else:
        (mac,) = duck.answer(same=True)
        (done,) = duck.hear("mac", ann.mac())
    assert (mac.kind, done.kind) == ("mac", "done")
    ann.check(json.loads(json.dumps(mac.content)))
    assert ann.vouched == _DUCKS
    ends = [duck.end]
    assert duck.hear("done", ann.done()) == ()
    assert [*ends, duck.end] == [None, End()]
    assert duck.proven == _ANNS


def test_a_no_ends_it_and_no_key_is_vouched_for() -> None:
    ann, duck = _two()
    _shown(ann, duck)
    duck.hear("mac", ann.mac())
    assert _code(duck.answer(same=False)) == "m.mismatched_sas"
    assert duck.end == End(Code.MISMATCHED_SAS)
    assert duck.answer(same=True) == ()


def test_somebody_between_who_exchanges_a_key_makes_the_emoji_differ_and_the_mac_fail() -> None:
    ann, duck = _two()
    accept = _only(duck.hear("start", ann.start(_only(duck.ready(ann.request()), "ready"))), "accept")
    theirs = vodozemac.Sas().public_key.to_base64()
    key = _only(duck.hear("key", ann.key(accept) | {"key": theirs}), "key")
    with pytest.raises(AssertionError, match="commitment"):
        ann.show(key | {"key": theirs})
    ann.show(key)
    assert duck.shown is not None
    assert duck.shown.numbers != tuple(ann.numbers)
    duck.answer(same=True)  # the admin has not looked
    assert _code(duck.hear("mac", ann.mac())) == "m.key_mismatch"
    assert duck.proven == {}


@pytest.mark.parametrize("name", [*_ANNS], ids=["device", "master"])
def test_a_key_that_the_homeserver_has_exchanged_is_found_out_also_before_the_yes(name: str) -> None:
    ann, duck = _two()
    duck.theirs = Side(_ANN, "ANN", _ANNS | {name: _key()})
    _shown(ann, duck)
    assert _code(duck.hear("mac", ann.mac())) == "m.key_mismatch"
    assert duck.answer(same=True) == ()


@pytest.mark.parametrize("spoil", ["drop", "add", "keys", "odd"])
def test_a_mac_from_which_a_key_is_dropped_or_to_which_one_is_added_fails(spoil: str) -> None:
    ann, duck = _two()
    _shown(ann, duck)
    mac = ann.mac()
    match spoil:
        case "drop":
            mac["mac"].pop(f"ed25519:{_MASTER}")
        case "add":
            mac["mac"]["ed25519:X"] = "AAAA"
        case "keys":
            mac["keys"] = "AAAA"
        case _:
            mac["mac"] = dict.fromkeys(mac["mac"], 7)
    assert _code(duck.hear("mac", mac)) == "m.key_mismatch"


def test_a_mac_has_to_be_about_the_device_itself() -> None:
    ann, duck = _two()
    ann.keys.pop("ed25519:ANN")
    _shown(ann, duck)
    assert _code(duck.hear("mac", ann.mac())) == "m.key_mismatch"


def test_a_mac_of_another_comparison_is_worth_nothing() -> None:
    (ann, duck), (other, before) = _two(), _two()
    other.transaction = "t0"
    _shown(other, before)
    _shown(ann, duck)
    assert _code(duck.hear("mac", other.mac())) == "m.key_mismatch"


def test_our_mac_is_about_this_comparison_only() -> None:
    ann, duck = _two()
    _shown(ann, duck)
    (mac,) = duck.answer(same=True)
    ann.transaction = "t2"
    with pytest.raises(vodozemac.SasException):
        ann.check(dict(mac.content))


@pytest.mark.parametrize("key", ["", "AAAA", "A" * 43, "!", 7, None, "B" * 86, "\ud800"])
def test_a_key_that_is_none_is_refused(key: object) -> None:
    ann, duck = _two()
    accept = _only(duck.hear("start", ann.start(_only(duck.ready(ann.request()), "ready"))), "accept")
    assert _code(duck.hear("key", ann.key(accept) | {"key": key})) == "m.invalid_message"
    assert duck.shown is None


@pytest.mark.parametrize("offer", [*OFFERS])
@pytest.mark.parametrize("instead", [[], ["curve25519"], ["hkdf-hmac-sha256"], ["emoji"], "sha256", None])
def test_a_start_without_a_way_of_ours_is_refused(offer: str, instead: object) -> None:
    ann, duck = _two()
    start = ann.start(_only(duck.ready(ann.request()), "ready"), **{offer: instead})
    assert _code(duck.hear("start", start)) == "m.unknown_method"


def test_other_methods_are_refused() -> None:
    ann, duck = _two()
    assert _code(duck.ready(ann.request(methods=["m.qr_code.scan.v1"]))) == "m.unknown_method"
    ann, duck = _two()
    start = ann.start(_only(duck.ready(ann.request()), "ready"), method="m.reciprocate.v1")
    assert _code(duck.hear("start", start)) == "m.unknown_method"


def test_a_start_of_another_device_is_refused() -> None:
    ann, duck = _two()
    start = ann.start(_only(duck.ready(ann.request()), "ready"), from_device="OTHER")
    assert _code(duck.hear("start", start)) == "m.user_mismatch"


@pytest.mark.parametrize("kind", ["start", "key", "mac", "done", "ready", "accept", "request", "x"])
@pytest.mark.parametrize("steps", range(5))
def test_what_is_out_of_order_ends_it(steps: int, kind: str) -> None:
    ann, duck = _two()
    said = [("start", ann.start(_only(duck.ready(ann.request()), "ready")))]
    accept = _only(duck.hear(*said[0]), "accept") if steps else {}
    if steps > 1:
        ann.show(_only(duck.hear("key", ann.key(accept)), "key"))
    if steps > 2:
        duck.hear("mac", ann.mac())
    if steps > 3:
        duck.answer(same=True)
    expected = ("start", "key", "mac", "", "done")[steps]
    if kind != expected:
        content = said[0][1] if kind == "start" else {}
        assert _code(duck.hear(kind, content)) == "m.unexpected_message"
        assert duck.end == End(Code.UNEXPECTED)


def test_after_a_cancellation_nothing_more_is_said() -> None:
    ann, duck = _two()
    _shown(ann, duck)
    assert duck.hear("cancel", {"code": "m.user", "reason": "x"}) == ()
    assert duck.end == End("m.user", by_them=True)
    assert not duck.waits
    assert duck.answer(same=True) == ()
    assert duck.hear("mac", ann.mac()) == ()
    assert duck.cancel(Code.TIMEOUT) == ()


_KINDS = ("start", "key", "mac", "done", "cancel", "ready", "accept", "right", "right", "right")
_CONTENTS = some.recursive(
    some.none() | some.text() | some.integers(),
    lambda inner: some.lists(inner) | some.dictionaries(some.sampled_from(["mac", "keys", "key", METHOD]), inner),
    max_leaves=5,
)


@given(
    some.lists(some.tuples(some.sampled_from(_KINDS), some.dictionaries(some.text(), _CONTENTS)), max_size=12),
    some.integers(0, 12),
    some.booleans(),
)
def test_whatever_is_sent_no_mac_goes_out_before_the_yes_and_what_is_answered_is_bounded(
    heard: list[tuple[str, dict[str, Any]]], answered_at: int, same: bool
) -> None:
    ann, duck = _two()
    answers = [*duck.ready(ann.request())]
    right: list[Message] = [*answers]
    yes = False
    for number, (kind, content) in enumerate(heard):
        if number == answered_at:
            yes = same and duck.waits
            answers += duck.answer(same=same)
        if kind == "right":
            kind, content = _next(ann, right)
        ended = duck.end
        found = duck.hear(kind, content)
        assert not (ended and found)
        answers, right = [*answers, *found], [*right, *found]
        assert yes or all(message.kind not in ("mac", "done") for message in answers)
        assert len(answers) <= 6
        assert duck.end is None or not duck.waits
    assert [message.kind for message in answers].count("mac") <= 1
    assert not duck.proven or duck.proven == _ANNS


def _next(ann: Asker, answers: list[Message]) -> tuple[str, dict[str, Any]]:
    """What the other side says after our last message, if all goes well."""
    last = answers[-1]
    match last.kind:
        case "ready":
            return "start", ann.start(last.content)
        case "accept":
            return "key", ann.key(last.content)
        case "key" if not ann.emoji:
            ann.show(last.content)
            return "mac", ann.mac()
        case _:
            return "done", ann.done()
