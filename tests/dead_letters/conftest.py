from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.dead_letters.desk import Desk
from tests.operations.commandline import configured
from tests.temporal_server import connected, running_server


@pytest.fixture(scope="session")
async def desk_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A server that only the tests of the desk use: the maintenance queue has one name."""
    async with running_server(tmp_path_factory.mktemp("desk")) as address:
        yield address


@pytest.fixture(scope="session")
async def desk_client(desk_server: str) -> Client:
    return await connected(desk_server)


@pytest.fixture
async def desk(tmp_path: Path, desk_server: str, desk_client: Client) -> AsyncIterator[Desk]:
    """A desk with a command line; leaves no dead letter behind."""
    made = Desk(desk_client, desk_server, configured(tmp_path, desk_server, ("event", "other")))
    yield made
    await made.clear()
