"""Setting up a Matrix account: the recovery key of its cross-signing keys."""

import click

from bridge.admin.verbs.office import Answer, Office
from bridge.matrix.settings import MatrixSettings

_NONE = (
    "no recovery key is kept for {}: the bridge makes one when it first runs with encryption, unless another client has"
    " set up the account's secret storage"
)


@click.command("matrix-setup")
@click.argument("network")
@click.pass_obj
def matrix_setup(office: Office, network: str) -> Answer:
    """Show the recovery key of the account of NETWORK, to be written down. The daemon may be running.

    It is a secret: whoever has it can make devices of the account look verified. A restored bridge needs it
    (`recovery_key_file`), and so do other clients that you log in to the account.
    """
    from bridge.matrix.crypto.recovery import shown  # few verbs need these
    from bridge.matrix.crypto.rows import RECOVERY
    from bridge.store.peek import memory_of

    section = office.config.networks.get(network)
    if not isinstance(section, MatrixSettings):
        known = [name for name, each in office.config.networks.items() if isinstance(each, MatrixSettings)]
        raise click.UsageError(f"the config has no Matrix network {network!r}, but: {', '.join(known) or 'none'}")
    secret = memory_of(office.config.store.path, network).get(RECOVERY)
    if secret is None:
        raise click.ClickException(_NONE.format(network))
    office.audit.record(office.by, "matrix-setup", f"showed the recovery key of {network}")
    key = shown(bytes.fromhex(secret))
    return Answer({"recovery_key": key}, f"recovery key of {section.user}:\n{key}")
