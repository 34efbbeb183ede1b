"""End-to-end encryption. `encryption` puts it together; `sealing` and `opening` are what the adapter asks for."""
