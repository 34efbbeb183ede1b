"""Whether a puppet shows that its owner is away (bridge.irc.puppets.absence)."""

from bridge.irc.effects import Write
from bridge.irc.puppets.absence import Absence

_AWAY, _BACK = (Write(b"AWAY :not on Matrix right now\r\n"),), (Write(b"AWAY\r\n"),)


def test_who_goes_is_away_and_who_comes_back_is_not_each_said_once() -> None:
    absence = Absence()
    said = [absence.looked(away=away, silent_s=600) for away in (False, True, True, False, False, True)]
    assert said == [(), _AWAY, (), _BACK, (), _AWAY]


def test_a_homeserver_that_tells_of_nobody_marks_nobody() -> None:
    absence = Absence()
    assert [absence.looked(away=away, silent_s=600) for away in (True, None, True)] == [(), (), ()]


def test_who_speaks_is_there_at_once_and_for_a_while() -> None:
    absence = Absence(seen=True)
    assert absence.looked(away=True, silent_s=60) == ()
    assert absence.looked(away=True, silent_s=121) == _AWAY
    assert absence.spoke() == _BACK
    assert absence.spoke() == ()
    assert absence.looked(away=True, silent_s=1) == ()


def test_a_new_connection_is_told_anew() -> None:
    absence = Absence(seen=True)
    absence.looked(away=True, silent_s=600)
    absence.connected()
    assert absence.looked(away=True, silent_s=600) == _AWAY
    assert absence.looked(away=None, silent_s=600) == ()
