"""Small mechanisms that know nothing of chat."""
