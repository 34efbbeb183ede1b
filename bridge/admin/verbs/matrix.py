"""Setting up a Matrix account: our device is signed by it, and its recovery key is shown, once."""

import asyncio
import logging
import os
import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import click
import structlog

from bridge.admin.live import Live, NotDone, NotRunning
from bridge.admin.verbs.office import Answer, Office
from bridge.admin.verbs.params import MATRIX_NETWORK
from bridge.lib.files import owner
from bridge.matrix.settings import MatrixSettings

_PATIENCE_S = 60.0
_NO_ANSWER = "the homeserver does not answer: say it again later"
_BUSY = "the daemon runs and cannot be asked (`no_admin_socket` in its log says why): stop it, say this again, start it"
_NOT_AS_ROOT = "{} belongs to {}: run this as that user, or start the daemon first"
_SHOWN = (
    "The recovery key was shown on {:%Y-%m-%d}, and is kept nowhere here. If it is lost:"
    " quackbridge matrix-setup {} --new-recovery-key"
)
_OTHERS = "No recovery key is kept here: the account's secret storage opens with the one that it had before."
_WRITE_DOWN = (
    "Write it down: it is shown this once. A restored bridge needs it, and so do other clients of the account."
)


@click.command("matrix-setup")
@click.argument("network", type=MATRIX_NETWORK)
@click.option("--new-recovery-key", "renew", is_flag=True, help="Make another recovery key, if the last one is lost.")
@click.pass_obj
def matrix_setup(office: Office, network: str, renew: bool) -> Answer:
    """Sign the bridge's device on NETWORK, so that clients do not warn of it, and show the recovery key of its account,
    once. The daemon may be running.

    If another client has made the account's keys, this asks for its recovery key, or reads it from standard input. It
    may ask for the account's password. The recovery key is a secret: whoever has it can make devices look verified.
    """
    section = office.config.networks.get(network)
    if not isinstance(section, MatrixSettings):
        known = [name for name, each in office.config.networks.items() if isinstance(each, MatrixSettings)]
        raise click.UsageError(f"the config has no Matrix network {network!r}, but: {', '.join(known) or 'none'}")
    live = _live(office, network)
    done = [_signed(office, live, section)]
    if renew:
        done.append(str(live.ask("new_recovery_key", network=network)["done"]))
    office.audit.record(office.by, "matrix-setup", f"{network}: {'; '.join(done)}")
    key, shown = _waiting(office, network)
    if key:
        done += [f"recovery key of {section.user}:\n{key}", _WRITE_DOWN]
    else:
        done.append(_SHOWN.format(shown, network) if shown else _OTHERS)
    data = {"signed": True, "recovery_key": key, "shown": shown and shown.isoformat()}
    return Answer(data, "\n".join(done), printed=partial(_forget, office, live, network) if key else None)


def _forget(office: Office, live: Live, network: str) -> None:
    """The recovery key was shown: it is kept no longer."""
    office.audit.record(office.by, "matrix-setup", f"showed the recovery key of {network}")
    live.ask("recovery_key_shown", network=network)


def _signed(office: Office, live: Live, section: MatrixSettings) -> str:
    """Sign the device, with what it needs, which is asked for."""
    given: dict[str, str] = {}
    while True:
        try:
            return str(live.ask("sign_device", network=section.name, **given)["done"])
        except NotDone as error:
            key = error.needs.replace(" ", "_")
            if not key or key in given:
                raise
            given[key] = office.terminal.take(f"{error.needs.capitalize()} of {section.user}", error.message)


def _waiting(office: Office, network: str) -> tuple[str | None, datetime | None]:
    """The recovery key that waits to be shown, and when the last one was."""
    from bridge.matrix.crypto.account.recovery_key import shown as written  # few verbs need these
    from bridge.matrix.crypto.rows import RECOVERY, RECOVERY_SHOWN
    from bridge.store.peek import memory_of

    kept = memory_of(office.config.store.place, network)
    secret, at = kept.get(RECOVERY), kept.get(RECOVERY_SHOWN)
    return (written(bytes.fromhex(secret)) if secret else None), (
        datetime.fromtimestamp(float(at), UTC) if at else None
    )


def _live(office: Office, network: str) -> Live:
    """The daemon; if none runs, one that does what it would, for each question."""
    from bridge.store.backup import is_in_use  # few verbs need it

    try:
        office.live.ask("encryption")
    except NotRunning:
        path = office.config.store.path
        if is_in_use(path):
            raise click.ClickException(_BUSY) from None
        if os.geteuid() == 0 and (user := owner(path)) not in ("", "root"):  # the daemon could not use files of root's
            raise click.ClickException(_NOT_AS_ROOT.format(path, user)) from None
        return _Alone(office, network)
    return office.live


class _Alone:
    """Logs in as the daemon would, with the store, for each question."""

    def __init__(self, office: Office, network: str) -> None:
        self._office = office
        self._network = network

    def ask(self, question: str, **about: object) -> Mapping[str, Any]:
        """See `bridge.admin.live.Live`."""
        silent = structlog.make_filtering_bound_logger(logging.CRITICAL)  # what goes wrong is told as the answer
        structlog.configure(wrapper_class=silent)
        return asyncio.run(self._ask(question, about))

    def _settings(self) -> MatrixSettings:
        """The settings of the network with the password, which commands do not know otherwise."""
        from bridge.config import load

        found = load(self._office.config.file).networks[self._network]
        assert isinstance(found, MatrixSettings)
        return found

    async def _ask(self, question: str, about: Mapping[str, object]) -> Mapping[str, Any]:
        from bridge.admin.answers import Answers  # few verbs need these
        from bridge.matrix.client import MatrixNetwork
        from bridge.network import Refused
        from bridge.store.opening import opened

        settings = self._office.config.store
        async with opened(settings.path, settings.url, time.time, steady=time.monotonic) as store:
            lease = await store.acquire(self._network, "matrix-setup")
            if lease is None:
                raise click.ClickException(_BUSY)
            client = MatrixNetwork(self._settings(), (), lease, clock=time.time, rng=random.Random())  # noqa: S311
            try:
                async with asyncio.timeout(_PATIENCE_S), client.visit():
                    return await Answers(lambda: {self._network: client}).answer(question, about)
            except TimeoutError:
                raise click.ClickException(_NO_ANSWER) from None
            except Refused as error:
                raise click.ClickException(str(error)) from None
            finally:
                await lease.release()
