"""Manners of bots: whether one of them answers what it hears in a room. Pure."""

from bots.attention.attention import OLD_S, Attention
from bots.attention.decision import Act, Decision, Heard, Said, Why
from bots.attention.manners import Manners, QuietHours

__all__ = ["OLD_S", "Act", "Attention", "Decision", "Heard", "Manners", "QuietHours", "Said", "Why"]
