"""One connection as a pure state machine."""
