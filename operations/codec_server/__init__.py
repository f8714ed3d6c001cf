"""The codec server: clear text for the Web UI, to those who may read it."""
