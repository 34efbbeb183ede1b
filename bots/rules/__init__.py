"""Rules: patterns and answers in a YAML file, in the manner of RiveScript. See docs/bots-rules.md."""

from bots.rules.problems import RulesError
from bots.rules.reading import DEFAULT, read, read_file

__all__ = ["DEFAULT", "RulesError", "read", "read_file"]
