"""What must survive the process: the promises are in contract.py, and how SQLite keeps them in core.py and
sqlite.py."""

from bridge.store.contract import (
    Commit,
    Committed,
    Dead,
    Dropped,
    Fate,
    Full,
    Lease,
    LeaseLost,
    Rewound,
    Store,
    StoreError,
    Unavailable,
    Unusable,
    Waits,
)
from bridge.store.patience import stored

__all__ = [
    "Commit",
    "Committed",
    "Dead",
    "Dropped",
    "Fate",
    "Full",
    "Lease",
    "LeaseLost",
    "Rewound",
    "Store",
    "StoreError",
    "Unavailable",
    "Unusable",
    "Waits",
    "stored",
]
