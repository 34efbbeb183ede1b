"""The nouns: what happened, who did it, what is owed because of it. Nothing else of ours is imported here."""
