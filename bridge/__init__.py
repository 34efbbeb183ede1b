"""quackbridge: carries conversations between Matrix and IRC, for the people on one allowlist."""

__version__ = "0.1.0"
