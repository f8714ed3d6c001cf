from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from tests.starter.front import Front, make_settings, running_starter


@pytest.fixture(scope="session")
async def front(tmp_path_factory: pytest.TempPathFactory, temporal_client: Client) -> AsyncIterator[Front]:
    # Time enough for a Temporal that shares a busy machine with the tests.
    patient = {"body_limit": 2 * 2**20, "start_deadline_s": 20.0}
    settings = make_settings(tmp_path_factory.mktemp("starter"), starter=patient)
    async with running_starter(settings, temporal_client) as running:
        yield running
