"""The command line: run everything, demo, dead letters, configuration, replay."""
