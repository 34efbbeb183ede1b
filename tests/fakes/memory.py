"""A memory as the store gives it to a network: bridge.network.Memory."""

from collections.abc import Mapping


class Notebook:
    """What a network remembers between runs, for as long as a test lasts."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def recall(self) -> Mapping[str, str]:
        return dict(self.kept)

    async def remember(self, changes: Mapping[str, str | None]) -> None:
        for key, value in changes.items():
            if value is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = value
