"""The desk: what people ask of the bridge itself, in private: to log in, to be known, to administer."""

from bridge.admin.desk.desk import Desk

__all__ = ["Desk"]
