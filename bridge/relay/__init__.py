"""The bridge itself: what is heard becomes what is owed, and is delivered; and what the bridge says of itself."""
