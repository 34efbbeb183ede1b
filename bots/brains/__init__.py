"""How the duck thinks, one idea a file."""
