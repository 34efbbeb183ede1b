"""Who may speak, and who hears it: pure decisions."""
