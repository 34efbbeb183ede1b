"""SASL (RFC 4422): its mechanisms, one small class each, how they are framed on IRC, and which of them is used."""
