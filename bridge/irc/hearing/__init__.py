"""From lines to who said what: who is in our channels, what a history tells, who has which account."""
