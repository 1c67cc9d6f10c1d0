"""Exercises, success criteria and their verdicts, and the record that a learner keeps of them."""
