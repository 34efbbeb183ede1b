"""Codes that workers share."""

import pytest

from bridge.users.codes import LASTS, SharedCodes
from tests.events import irc
from tests.users.papers import Papers

pytestmark = pytest.mark.real_time


async def test_a_code_is_found_until_it_is_used_or_too_old_and_nothing_else_is_looked_up() -> None:
    slips = Papers()
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
