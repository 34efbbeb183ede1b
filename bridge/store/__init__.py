"""Persistent state: the contract is in contract.py, its SQLite implementation in core.py and sqlite.py."""

from bridge.store.contract import (
    Commit,
    Committed,
    Dead,
    Dropped,
    Fate,
    Full,
    Lease,
    LeaseLost,
    Owner,
    Rewound,
    Shown,
    Store,
    StoreError,
    Unavailable,
    Unusable,
    Waits,
)
from bridge.store.patience import PatientMemory, stored

__all__ = [
    "Commit",
    "Committed",
    "Dead",
    "Dropped",
    "Fate",
    "Full",
    "Lease",
    "LeaseLost",
    "Owner",
    "PatientMemory",
    "Rewound",
    "Shown",
    "Store",
    "StoreError",
    "Unavailable",
    "Unusable",
    "Waits",
    "stored",
]
