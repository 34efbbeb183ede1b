"""The rules: who may speak, and who hears it. Pure decisions."""
