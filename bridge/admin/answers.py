"""Answers what the administration verbs ask of the running daemon."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from types import MappingProxyType

from bridge.admin import comparing
from bridge.admin.live import Json, NotDone
from bridge.network import Encrypts, HasGhosts, Network, NotSigned

Answering = Callable[[Json], Awaitable[Json]]


class Answers:
    """`networks` are those that run; `more` are questions that somebody else answers. An answer never holds a secret:
    whoever reads it may show it."""

    def __init__(
        self,
        networks: Callable[[], Mapping[str, Network]],
        more: Mapping[str, Answering] = MappingProxyType({}),
    ) -> None:
        self._networks = networks
        self._questions: Mapping[str, Answering] = {
            "encryption": self._encryption,
            "ghosts": self._ghosts,
            "comparisons": self._comparisons,
            "answer_comparison": self._answer_comparison,
            "sign_device": self._sign_device,
            "new_recovery_key": self._new_recovery_key,
            "recovery_key_shown": self._recovery_key_shown,
            **more,
        }

    async def answer(self, question: str, about: Json) -> Json:
        """The answer to a `question`, with what it is `about`. Raises NotDone."""
        answer = self._questions.get(question)
        if answer is None:
            raise NotDone(
                f"this daemon knows no question {question[:40]!r}: it is of another version than this command"
            )
        try:
            return await answer(about)
        except NotSigned as error:
            raise NotDone(str(error), error.needs) from None

    async def _encryption(self, _about: Json) -> Json:
        states = {name: network.encryption() for name, network in self._encrypting().items()}
        return {name: {**asdict(state), "rooms": [*map(str, state.rooms)]} for name, state in states.items()}

    async def _ghosts(self, _about: Json) -> Json:
        found = {name: each.ghosts() for name, each in self._networks().items() if isinstance(each, HasGhosts)}
        return {name: asdict(state) for name, state in found.items() if state is not None}

    async def _comparisons(self, _about: Json) -> Json:
        return comparing.told(self._networks())

    async def _answer_comparison(self, about: Json) -> Json:
        network, id_ = str(about.get("network", "")), str(about.get("id", ""))
        return await comparing.answered(self._networks(), network, id_, same=about.get("same") is True)

    async def _sign_device(self, about: Json) -> Json:
        return {"done": await self._named(about).sign_device(_word(about, "recovery_key"), _word(about, "password"))}

    async def _new_recovery_key(self, about: Json) -> Json:
        return {"done": await self._named(about).new_recovery_key()}

    async def _recovery_key_shown(self, about: Json) -> Json:
        await self._named(about).recovery_key_shown()
        return {}

    def _encrypting(self) -> Mapping[str, Encrypts]:
        return {name: network for name, network in self._networks().items() if isinstance(network, Encrypts)}

    def _named(self, about: Json) -> Encrypts:
        name = str(about.get("network", ""))
        network = self._encrypting().get(name)
        if network is None:
            raise NotDone(f"the daemon runs no network {name[:40]!r} with encryption")
        return network


def _word(about: Json, key: str) -> str | None:
    value = about.get(key)
    return value if isinstance(value, str) and value else None
