from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from tests.temporal_server import connected, running_server


@pytest.fixture(scope="session")
async def temporal_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of a Temporal server that all tests share; no worker runs on its workflow queue."""
    async with running_server(tmp_path_factory.mktemp("temporal")) as address:
        yield address


@pytest.fixture(scope="session")
async def temporal_client(temporal_server: str) -> Client:
    return await connected(temporal_server)
