"""Leases by the clock of the database server."""

from bridge.store.tables.leases import TimedLeases


class ServerLeases(TimedLeases):
    """The table of networks on PostgreSQL."""

    @property
    def now(self) -> str:
        return "extract(epoch FROM clock_timestamp())::double precision"
