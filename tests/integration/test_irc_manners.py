"""How we behave on real servers: our nick, our mode, what we answer, and how we get into channels."""

import pytest

from bridge.demo.servers import InspIRCd
from bridge.model.text import words
from tests.integration.irc import ours, person
from tests.integration.servers import unique

pytestmark = pytest.mark.servers


async def test_a_nick_that_somebody_in_no_channel_of_ours_frees_is_regained_at_once(inspircd: InspIRCd) -> None:
    async with person(inspircd) as holder, person(inspircd) as bob, ours(inspircd, nick=holder.nick) as us:
        await bob.join(us.room.id)
        await holder.rename(unique("other"))
        await bob.line(lambda line: line.command == "NICK" and line.params == (us.settings.nick,))
        await us.says(words("it is me"))
        assert (await bob.heard("it is me")).sender == us.settings.nick
