"""People to talk with: a Matrix person on raw REST, an IRC person on a raw socket; none of it is the bridge's code."""

from bridge.demo.people.heard import Ears, Heard, NotHeard, Wanted
from bridge.demo.people.irc import IrcError, IrcPerson, Line
from bridge.demo.people.matrix import MatrixError, MatrixPerson

__all__ = ["Ears", "Heard", "IrcError", "IrcPerson", "Line", "MatrixError", "MatrixPerson", "NotHeard", "Wanted"]
