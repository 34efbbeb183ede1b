"""What it costs to be carried, measured beside what it costs without us."""
