"""Manners of bots: whether one of them answers what it hears in a room. Pure."""

from bridge.rules.attention.attention import OLD_S, Attention
from bridge.rules.attention.decision import Act, Decision, Heard, Said, Why
from bridge.rules.attention.manners import Manners, QuietHours

__all__ = ["OLD_S", "Act", "Attention", "Decision", "Heard", "Manners", "QuietHours", "Said", "Why"]
