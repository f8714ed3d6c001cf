"""Recorded answers of a real n8n, and how to replay them against any server."""
