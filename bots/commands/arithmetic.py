"""Arithmetic on what strangers write: bounded in length, depth, digits and time; nothing is evaluated as code. Pure.

    sum     = product (("+" | "-") product)*
    product = sign (("*" | "/" | "//" | "%" | "of" | nothing before a bracket or name) sign)*
    sign    = ("+" | "-") sign | power
    power   = atom ("!" | "%")* (("^" | "**") sign)?
    atom    = number | name | name "(" sum ("," sum)* ")" | "(" sum ")"

`%` is a percentage where no number follows. Numbers are decimals of `DIGITS` digits.
"""

import decimal
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType

LONGEST = 200
"""Characters at most."""
DIGITS = 50
_DEPTH = 30
_FACTORIAL = 200
_CONTEXT = decimal.Context(prec=DIGITS, Emax=9_999, Emin=-9_999)
_TOKEN = re.compile(
    r"\s*(?:(\d[\d_]*\.?\d*|\.\d+)(?:[eE]([+-]?\d{1,4})(?!\w))?|([a-zA-Z]+\d*|π)|(\*\*|//|[-+*/%^(),!×·÷−√]))"
)
_SPELLED = MappingProxyType({"×": "*", "·": "*", "÷": "/", "−": "-", "**": "^", "π": "pi", "√": "sqrt"})
_PI = Decimal("3.14159265358979323846264338327950288419716939937510")
_E = Decimal("2.71828182845904523536028747135266249775724709369996")
_MOST: Mapping[str, int] = MappingProxyType({"min": LONGEST, "max": LONGEST, "round": 2})  # numbers, if not one
_CONSTANTS: Mapping[str, Decimal] = MappingProxyType({"pi": _PI, "e": _E, "tau": 2 * _PI})


class NoValue(ValueError):
    """It cannot be calculated; the message says why, to who asked."""


def calculate(text: str) -> Decimal:
    """The value of `text`. Raises NoValue."""
    if len(text) > LONGEST:
        raise NoValue(f"that is too long: I take {LONGEST} characters")
    with decimal.localcontext(_CONTEXT):
        try:
            found = _Reader(_tokens(text)).value()
        except decimal.DivisionByZero:
            raise NoValue("that divides by zero") from None
        except decimal.Overflow:
            raise NoValue("that number is too large for me") from None
        except (decimal.InvalidOperation, ArithmeticError, ValueError) as error:
            raise error if isinstance(error, NoValue) else NoValue("that has no value") from None
    if not found.is_finite():
        raise NoValue("that has no value")
    return found


def spelled(value: Decimal) -> str:
    """`value` for people: whole numbers in full, others with at most 12 digits behind the point."""
    with decimal.localcontext(_CONTEXT):
        if value == value.to_integral_value() and abs(value) < Decimal(10) ** DIGITS:
            return (
                f"{value.to_integral_value():f}".replace("-0", "0") if not value else f"{value.to_integral_value():f}"
            )
        if not Decimal("1e-6") <= abs(value) < Decimal(10) ** 15:
            mantissa, _, exponent = f"{value:.12e}".partition("e")
            return f"{_short(mantissa)}e{exponent}"
        return _short(f"{value:.12f}")


def _short(number: str) -> str:
    return number.rstrip("0").rstrip(".") if "." in number else number


def _tokens(text: str) -> list[str | Decimal]:
    found: list[str | Decimal] = []
    at, text = 0, text.rstrip()
    while at < len(text):
        if (match := _TOKEN.match(text, at)) is None:
            raise NoValue(f"I do not understand {text[at:].strip()[:10]!r}")
        number, exponent, name, sign = match.groups()
        if number is not None:
            found.append(Decimal(f"{number.replace('_', '')}e{exponent or 0}") + 0)
        else:
            word = (name or sign).lower()
            found.append(_SPELLED.get(word, word))
        at = match.end()
    return found


class _Reader:
    """Reads and calculates in one pass."""

    def __init__(self, tokens: list[str | Decimal]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def value(self) -> Decimal:
        found = self._sum()
        if self._at < len(self._tokens):
            raise NoValue(f"I did not expect {self._shown()} there")
        return found

    def _next(self) -> str | Decimal | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _shown(self) -> str:
        return "the end" if (token := self._next()) is None else f"'{str(token)[:10]}'"

    def _took(self, *signs: str) -> str | None:
        """The next sign, if it is one of `signs`; it is read then."""
        token = self._next()
        if isinstance(token, str) and token in signs:
            self._at += 1
            return token
        return None

    def _sum(self) -> Decimal:
        self._depth += 1
        if self._depth > _DEPTH:
            raise NoValue("that has too many brackets")
        found = self._product()
        while sign := self._took("+", "-"):
            other = self._product()
            found = found + other if sign == "+" else found - other
        self._depth -= 1
        return found

    def _product(self) -> Decimal:
        found = self._sign()
        while True:
            sign = self._took("*", "/", "//", "%", "of")
            if sign is None:
                follows = self._next()
                if not isinstance(follows, str) or not (follows == "(" or follows.isalpha()):
                    return found
                sign = "*"  # 2 pi, 3 (4 + 5)
            found = _multiplied(found, sign, self._sign())

    def _sign(self) -> Decimal:
        negative = False
        while sign := self._took("+", "-"):
            negative ^= sign == "-"
        found = self._power()
        return -found if negative else found

    def _power(self) -> Decimal:
        found = self._atom()
        while True:
            if self._took("!"):
                found = _factorial(found)
            elif self._next() == "%" and self._is_percent():
                self._at += 1
                found /= 100
            else:
                break
        if self._took("^"):
            self._depth += 1
            if self._depth > _DEPTH:
                raise NoValue("that has too many powers")
            found = found ** self._sign()
            self._depth -= 1
        return found

    def _is_percent(self) -> bool:
        """Whether the % at hand is a percentage: nothing follows that it could divide by."""
        after = self._tokens[self._at + 1] if self._at + 1 < len(self._tokens) else None
        return not isinstance(after, Decimal) and (
            after is None or after in {"+", "-", "*", "/", "//", ")", ",", "of", "^"}
        )

    def _atom(self) -> Decimal:
        token = self._next()
        if isinstance(token, Decimal):
            self._at += 1
            return token
        if self._took("("):
            found = self._sum()
            self._close()
            return found
        if token in _CONSTANTS:
            self._at += 1
            return _CONSTANTS[str(token)]
        if token in _FUNCTIONS:
            self._at += 1
            return self._called(str(token))
        raise NoValue(f"I did not expect {self._shown()} there")

    def _called(self, name: str) -> Decimal:
        if not self._took("("):
            return _FUNCTIONS[name](self._atom()) if name == "sqrt" else self._missing(name)
        given = [self._sum()]
        while self._took(","):
            given.append(self._sum())
        self._close()
        if len(given) > _MOST.get(name, 1):
            raise NoValue(f"{name} takes {'two numbers at most' if name == 'round' else 'one number'}")
        return _FUNCTIONS[name](*given)

    def _missing(self, name: str) -> Decimal:
        raise NoValue(f"a bracket is missing: {name}(...)")

    def _close(self) -> None:
        if not self._took(")"):
            raise NoValue("a bracket is not closed")


def _multiplied(one: Decimal, sign: str, other: Decimal) -> Decimal:
    if sign in ("*", "of"):
        return one * other
    if not other:
        raise NoValue("that divides by zero")
    if sign == "/":
        return one / other
    whole = (one / other).to_integral_value(decimal.ROUND_FLOOR)
    return whole if sign == "//" else one - other * whole


def _factorial(value: Decimal) -> Decimal:
    if value != value.to_integral_value() or not 0 <= value <= _FACTORIAL:
        raise NoValue(f"a factorial is of a whole number from 0 to {_FACTORIAL}")
    return Decimal(math.factorial(int(value))) + 0


def _rounded(value: Decimal, digits: Decimal = Decimal(0)) -> Decimal:
    if digits != digits.to_integral_value() or abs(digits) > DIGITS:
        raise NoValue("I do not round to so many digits")
    return value.quantize(Decimal(1).scaleb(-int(digits)), decimal.ROUND_HALF_UP)


def _by_float(function: Callable[[float], float]) -> Callable[..., Decimal]:
    def called(value: Decimal) -> Decimal:
        return Decimal(repr(round(function(float(value)), 14)))

    return called


_FUNCTIONS: Mapping[str, Callable[..., Decimal]] = MappingProxyType(
    {
        "sqrt": Decimal.sqrt,
        "abs": abs,
        "round": _rounded,
        "floor": lambda value: value.to_integral_value(decimal.ROUND_FLOOR),
        "ceil": lambda value: value.to_integral_value(decimal.ROUND_CEILING),
        "ln": Decimal.ln,
        "log": Decimal.log10,
        "exp": Decimal.exp,
        "min": lambda *values: min(values),
        "max": lambda *values: max(values),
        "sin": _by_float(math.sin),
        "cos": _by_float(math.cos),
        "tan": _by_float(math.tan),
    }
)
