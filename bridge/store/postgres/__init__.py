"""The store on PostgreSQL, shared by several workers. The SQL of `bridge.store.core` is the same as on SQLite."""
