"""Who came, went and changed their name, in one notice: many at once after a netsplit."""

from collections.abc import Iterator, Sequence

from bridge.irc.dialect.brief import clean
from bridge.irc.dialect.names import Names
from bridge.irc.dialect.notes import notice
from bridge.irc.dialect.operations import Say
from bridge.irc.dialect.place import Limits
from bridge.model.comings import steps, told
from bridge.model.outbox import Owed


def came_and_went(items: Sequence[Owed], names: Names, limits: Limits) -> Iterator[Say]:
    """One notice about all of `items`; none if everybody is there as before. It calls nobody."""
    happened = steps([item.event for item in items], names.plain, lambda detail: names.guarded(clean(detail)))
    if not happened:
        return
    for most, reasons in ((5, True), (5, False), (3, False)):
        said = told(happened, most, reasons=reasons)
        if len(said.encode()) <= limits.budget("NOTICE", items[0].room.id):
            break
    yield notice(items[0], said, limits)
