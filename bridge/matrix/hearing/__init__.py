"""From a sync to events."""
