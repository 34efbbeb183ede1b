"""Language models: what they are asked, what they may cost, and what is said when they fail."""
