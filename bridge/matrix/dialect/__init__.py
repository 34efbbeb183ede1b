"""Matrix events to ours, and back."""
