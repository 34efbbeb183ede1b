"""What a network need not show is done: alone, or together with what it makes needless."""

from collections.abc import Sequence

from bridge.model.outbox import Owed, Post
from bridge.model.presentation import DEFAULT, Presentation
from bridge.model.text import plain
from bridge.network import Needless, TransientError
from tests.events import HOME, LIBERA, matrix, said
from tests.relay.test_relay import World
from tests.relay.test_suspects import _passing


async def test_what_cancels_out_is_done_together_and_no_half_of_it_is_shown_later() -> None:
    world = World()
    render, seen = world.libera.render, list[list[str]]()

    def cancelling(owed: Sequence[Owed], how: Presentation = DEFAULT) -> Sequence[Post]:
        texts = [plain(item.event.text) for item in owed]
        seen.append(texts)
        if texts[:2] == ["came", "went"]:
            raise Needless("nobody is there", [each for item in owed[:2] for each in item.deliveries])
        return render(owed[: texts.index("came")] if "came" in texts else owed, how)

    world.libera.failures[LIBERA] = [TransientError("not now")]
    async with world.running(), _passing(world):
        await world.home.hear(said(HOME, matrix("alice"), "first"))
        world.libera.render = cancelling  # type: ignore[method-assign]
        await world.home.hear(*(said(HOME, matrix("alice"), text) for text in ("came", "went", "after")))
        await world.libera.delivered(2)
    assert [text for room, text in world.libera.sent if room == LIBERA] == ["<alice> first", "<alice> after"]
    assert ["came", "went", "after"] in seen, "they were due at once"
    assert not any(texts[:1] == ["went"] for texts in seen)
