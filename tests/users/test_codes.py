"""Codes that workers share."""

import pytest

from bridge.users.codes import LASTS, SharedCodes
from tests.events import irc

pytestmark = pytest.mark.real_time


class _Slips:
    def __init__(self) -> None:
        self.kept: dict[str, tuple[str, float]] = {}
        self.asked: list[str] = []

    def keep(self, name: str, body: str, until: float, now: float) -> None:
        self.kept[name] = (body, until)

    def find(self, name: str) -> tuple[str, float] | None:
        self.asked.append(name)
        return self.kept.get(name)

    def drop(self, name: str) -> None:
        self.kept.pop(name, None)


async def test_a_code_is_found_until_it_is_used_or_too_old_and_nothing_else_is_looked_up() -> None:
    slips = _Slips()
    codes, al = SharedCodes(slips), irc("al", "al")
    code = await codes.issue(al, 0.0)
    claim = await codes.claim(f" {code.upper()} ", LASTS - 1)
    assert claim is not None
    assert claim.sender == al
    assert await codes.claim(code, LASTS) is None
    slips.asked.clear()
    for typed in ("", "\ud800", "x" * 9, "abcd-efg", "*", "abcd:efgh"):
        assert await codes.claim(typed, 0.0) is None
    assert slips.asked == []
    await codes.redeem(code)
    assert await codes.claim(code, 0.0) is None
