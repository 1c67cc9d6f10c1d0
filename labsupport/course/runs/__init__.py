"""A whole week: run it, report it, grade it."""
