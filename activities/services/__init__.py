"""Image services: one Protocol, one small adapter per service."""
