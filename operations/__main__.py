"""`python -m operations`: the same command line as `orchestrator`."""

from __future__ import annotations

from operations.cli import main

main()
