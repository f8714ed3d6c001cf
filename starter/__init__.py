"""The n8n-compatible webhook front, the operator's HTTP interface, signed images, health and metrics."""
