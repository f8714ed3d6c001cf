"""Checks of a whole installation: one module per subject, verdicts apart from what they are passed on."""
