"""The doctor: looks at everything that the bridge needs, beside a running daemon, and says what to do."""
