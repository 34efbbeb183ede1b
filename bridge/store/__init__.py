"""What must survive the process: see contract.py for the promises and sqlite.py for how they are kept."""

from bridge.store.contract import Committed, Full, Lease, LeaseLost, Rewound, Store, StoreError, Unavailable, Unusable
from bridge.store.patience import stored

__all__ = [
    "Committed",
    "Full",
    "Lease",
    "LeaseLost",
    "Rewound",
    "Store",
    "StoreError",
    "Unavailable",
    "Unusable",
    "stored",
]
