"""Previews: fetches pictures, sound and videos to which somebody links, from the public internet only."""
