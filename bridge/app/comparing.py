"""The comparisons of emoji of all running networks, for admins to answer."""

import asyncio
from collections.abc import Callable, Iterator, Mapping

import click

from bridge.network import Comparison, Comparisons, Network, NoComparison

Networks = Callable[[], Mapping[str, Network]]


def waiting(networks: Mapping[str, Network]) -> Iterator[tuple[str, Comparison]]:
    """Those that wait for an answer, each with the name of its network."""
    for name, network in networks.items():
        if isinstance(network, Comparisons):
            for comparison in network.comparisons():
                yield name, comparison


def told(networks: Mapping[str, Network]) -> Mapping[str, object]:
    """The answer to the question `comparisons`."""
    return {"comparisons": [_json(name, comparison) for name, comparison in waiting(networks)]}


async def answered(networks: Mapping[str, Network], network: str, id: str, *, same: bool) -> Mapping[str, object]:  # noqa: A002
    """The answer to the question `answer_comparison`. Raises ClickException if that comparison does not wait."""
    found: object = networks.get(network)
    if not isinstance(found, Comparisons):
        raise click.ClickException(f"nobody can verify the bridge on {network!r}")
    try:
        return {"said": await found.answer_comparison(id, same=same)}
    except NoComparison as error:
        raise click.ClickException(str(error)) from None


def _json(network: str, one: Comparison) -> Mapping[str, object]:
    return {
        "network": network,
        "id": one.id,
        "user": one.user,
        "device": one.device,
        "emoji": [[*pair] for pair in one.emoji],
        "numbers": [*one.numbers],
        "until": one.until,
    }


class LocalLive:
    """The running daemon, asked from a thread of its own process. Made in its event loop."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()

    def ask(self, question: str, **about: object) -> Mapping[str, object]:
        """See `bridge.admin.live.Live`."""
        match question, about:
            case "comparisons", _:
                asked = self._comparisons()
            case "answer_comparison", {"network": str(network), "id": str(id_), "same": bool(same)}:
                asked = answered(self._networks(), network, id_, same=same)
            case _:
                raise click.ClickException(f"the daemon does not know the question {question!r}")
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result()

    async def _comparisons(self) -> Mapping[str, object]:
        return told(self._networks())
