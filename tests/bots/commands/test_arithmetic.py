"""`calc`: right, and bounded whatever is written."""

from contextlib import suppress
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.commands.arithmetic import LONGEST, NoValue, calculate, spelled


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2+3*(4-1)", "11"),
        ("-2^2", "-4"),
        ("2^3^2", "512"),
        ("2^-1", "0.5"),
        ("2**10", "1024"),
        ("0.1 + 0.2", "0.3"),
        ("1/3", "0.333333333333"),
        ("7//2", "3"),
        ("-7 // 2", "-4"),
        ("-7 % 3", "2"),
        ("10 % 3", "1"),
        ("20% of 85", "17"),
        ("50%", "0.5"),
        ("100 * 10%", "10"),
        ("5!", "120"),
        ("2 pi", "6.28318530718"),
        ("2(3+4)", "14"),
        ("√16", "4"),
        ("3 × 4 ÷ 2 − 1", "5"),
        ("max(1, 2, 3) - min(4, 5)", "-1"),
        ("max(1) + min(2)", "3"),
        ("round(2.345, 2)", "2.35"),
        ("sin(pi) + cos(0)", "1"),
        ("log(1000) + ln(e)", "4"),
        ("1e3", "1000"),
        ("1_000 * 2", "2000"),
        ("-0", "0"),
        ("1e-30", "1e-30"),
        ("--+-3", "-3"),
    ],
)
def test_sums_have_their_value(text: str, value: str) -> None:
    assert spelled(calculate(text)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2 +",
        "3 4",
        "(1",
        "1)",
        "1/0",
        "5 % 0",
        "9^9^9",
        "9^9^9^9",
        "10^9999 * 10",
        "exp(99999999)",
        "999!",
        "2.5!",
        "sqrt(-1)",
        "ln(0)",
        "0^0",
        "(-8)^(1/3)",
        "max()",
        "sin(1, 2)",
        "sin 1",
        "round(1, 1000)",
        "round(1, 2, 3)",
        "tan",
        "__import__('os')",
        "x = 1",
        "1;2",
        "a.b",
        "(" * 60,
        "2^" * 90 + "2",
        "1" * (LONGEST + 1),
        "1e99999",
        "sin(1e400)",
    ],
    ids=range(32),
)
def test_what_has_no_value_is_refused_in_words(text: str) -> None:
    with pytest.raises(NoValue, match=r"^[^\n]{5,90}$"):
        calculate(text)


_SUMS = st.recursive(
    st.integers(0, 1000).map(str),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(lambda each: f"({each[0]} {each[1]} {each[2]})"),
        inner.map(lambda each: f"-{each}"),
    ),
    max_leaves=8,
)


@given(_SUMS)
def test_whole_sums_are_exact(text: str) -> None:
    assert Fraction(calculate(text)) == eval(text)


@given(st.text(st.sampled_from("0123456789.+-*/%^!()e, pisqrtlnox"), max_size=LONGEST))
def test_whatever_is_written_has_a_short_value_or_a_reason(text: str) -> None:
    with suppress(NoValue):
        value = calculate(text)
        assert value.is_finite()
        assert len(spelled(value)) < 60


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal("-1e30"), max_value=Decimal("1e30")))
def test_a_value_is_spelled_to_twelve_digits(value: Decimal) -> None:
    shown = Decimal(spelled(value))
    assert (
        abs(shown - value) <= max(abs(value) * Decimal("1e-5"), Decimal("1e-12")) or value == value.to_integral_value()
    )
