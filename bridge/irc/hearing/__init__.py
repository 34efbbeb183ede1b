"""From lines to who said what: people in our channels, their accounts, and what a history tells."""
