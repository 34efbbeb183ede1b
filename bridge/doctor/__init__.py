"""The doctor: looks at everything that may be wrong, beside a running daemon."""
