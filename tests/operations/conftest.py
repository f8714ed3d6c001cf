from __future__ import annotations

from pathlib import Path

import pytest

from tests.operations.commandline import CommandLine, configured


@pytest.fixture
def offline(tmp_path: Path) -> CommandLine:
    """A command line that finds no Temporal."""
    return configured(tmp_path)


@pytest.fixture
def online(tmp_path: Path, temporal_server: str) -> CommandLine:
    """A command line with the Temporal server of the tests."""
    return configured(tmp_path, temporal_server, ("event", "other", "bulk"))
