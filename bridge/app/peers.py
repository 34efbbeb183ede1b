"""The homeservers that may tell us things over HTTP: those of the networks with `ghosts.url`, by their tokens."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bridge.config import Config
from bridge.http.appservice import Peer
from bridge.lib.files import Stamp, stamp
from bridge.matrix.ghosts.registration import Tokens, token_file
from bridge.matrix.settings import MatrixSettings
from bridge.network import Network, ReceivesTransactions


class Peers:
    """`config` is the one that holds now; `networks` are those that run here. The files with the tokens are read again
    when they change."""

    def __init__(self, config: Callable[[], Config], networks: Callable[[], Mapping[str, Network]]) -> None:
        self._config = config
        self._networks = networks
        self._read: dict[Path, tuple[Stamp, str]] = {}

    def __call__(self) -> Sequence[Peer]:
        """Those that may ask now."""
        return [*self._found()]

    def _found(self) -> Iterator[Peer]:
        config = self._config()
        for name, settings in config.networks.items():
            if not isinstance(settings, MatrixSettings) or settings.ghosts.url is None:
                continue
            token = self._token(token_file(settings.ghosts.token_file, name, config.store.path.parent))
            if token:
                network: object = self._networks().get(name)
                yield Peer(name, token, network if isinstance(network, ReceivesTransactions) else None)

    def _token(self, path: Path) -> str:
        """What the homeserver says; '' if there is no registration that can be read."""
        now = stamp(path)
        if now is None:
            return ""
        before = self._read.get(path)
        if before is None or before[0] != now:
            try:
                tokens = Tokens.read(path)
            except (ValueError, OSError):
                tokens = None
            before = self._read[path] = (now, tokens.theirs if tokens is not None else "")
        return before[1]
