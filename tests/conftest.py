from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from tests.temporal_server import connected, running_server


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", action="store_true", help="also run the tests that build and run an image engine")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "engine: builds an image engine, which takes minutes; runs only with --engine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without --engine its tests are deselected, not skipped: a skip means that something is missing."""
    if config.getoption("--engine"):
        return
    left_out = [item for item in items if item.get_closest_marker("engine")]
    items[:] = [item for item in items if not item.get_closest_marker("engine")]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
async def temporal_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of a Temporal server that all tests share; no worker runs on its workflow queue."""
    async with running_server(tmp_path_factory.mktemp("temporal")) as address:
        yield address


@pytest.fixture(scope="session")
async def temporal_client(temporal_server: str) -> Client:
    return await connected(temporal_server)
