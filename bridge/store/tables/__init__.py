"""The SQL, one file for each group of tables."""
