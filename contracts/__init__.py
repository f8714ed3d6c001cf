"""The shared language: pure models, dialects, error taxonomy and names. No I/O, no clock, no environment."""
