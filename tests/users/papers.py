"""Slips in memory, for what workers keep together."""


class Papers:
    """See `bridge.users.shared.Slips`. `asked` are the names that were looked up; `away`: the store is."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], tuple[str, float]] = {}
        self.asked: list[str] = []
        self.away = False

    def keep(self, kind: str, name: str, body: str, until: float, now: float) -> None:
        self._reached()
        self.kept[kind, name] = (body, until)

    def find(self, kind: str, name: str) -> tuple[str, float] | None:
        self._reached()
        self.asked.append(name)
        return self.kept.get((kind, name))

    def drop(self, kind: str, name: str) -> None:
        self._reached()
        self.kept.pop((kind, name), None)

    def _reached(self) -> None:
        if self.away:
            raise OSError("the server of the store does not answer")
