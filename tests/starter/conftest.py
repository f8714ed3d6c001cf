from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from tests.starter.front import Front, make_settings, running_starter


@pytest.fixture(scope="session")
async def front(tmp_path_factory: pytest.TempPathFactory, temporal_client: Client) -> AsyncIterator[Front]:
    settings = make_settings(tmp_path_factory.mktemp("starter"), starter={"body_limit": 2 * 2**20})
    async with running_starter(settings, temporal_client) as running:
        yield running
