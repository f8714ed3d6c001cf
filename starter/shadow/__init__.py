"""Copies to the old system, and what both answered."""
