"""IRC lines to our events, and back."""
