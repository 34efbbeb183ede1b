"""What is released: the wheel, the sdist, and what an earlier release has left on a machine."""
