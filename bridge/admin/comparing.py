"""The comparisons of emoji of all running networks, for admins to answer."""

from collections.abc import Iterator, Mapping

from bridge.admin.live import NotDone
from bridge.network import Comparison, Comparisons, Network, NoComparison


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
    """The answer to the question `answer_comparison`. Raises NotDone if that comparison does not wait."""
    found: object = networks.get(network)
    if not isinstance(found, Comparisons):
        raise NotDone(f"nobody can verify the bridge on {network!r}")
    try:
        return {"said": await found.answer_comparison(id, same=same)}
    except NoComparison as error:
        raise NotDone(str(error)) from None


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
