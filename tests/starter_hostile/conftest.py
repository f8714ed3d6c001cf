from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator

import pytest
from starlette.routing import Router
from temporalio.client import Client

from starter.wire.connections import ConnectionLimits
from starter.wire.server import listening
from tests.starter.front import Front, make_settings, running_starter
from tests.starter_hostile.recorder import Recorder

_LOGGERS = ("asyncio", "uvicorn.error")


@pytest.fixture(autouse=True)
def _nothing_breaks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever is sent, neither the server nor the event loop may meet an error it did not foresee."""
    for name in _LOGGERS:
        caplog.set_level(logging.ERROR, logger=name)
    yield
    assert not [record.getMessage() for record in caplog.get_records("call") if record.name in _LOGGERS]


@pytest.fixture(scope="session")
async def recorder() -> AsyncIterator[Recorder]:
    """An application on a patient server."""
    app = Recorder()
    async with listening(Router(default=app), "127.0.0.1", 0) as app.url:
        yield app


@pytest.fixture(scope="session")
async def hasty() -> AsyncIterator[Recorder]:
    """The same on a server that waits for nobody."""
    app = Recorder()
    limits = ConnectionLimits(header_deadline_s=0.3, body_deadline_s=0.5, connections=8, half_closed_s=0.2)
    async with listening(Router(default=app), "127.0.0.1", 0, limits) as app.url:
        yield app


@pytest.fixture(scope="session")
async def front(tmp_path_factory: pytest.TempPathFactory, temporal_client: Client) -> AsyncIterator[Front]:
    """The whole starter, its requests API open."""
    directory = tmp_path_factory.mktemp("starter")
    settings = make_settings(directory, starter={"body_limit": 2 * 2**20}, api={"auth": {"kind": "none"}})
    async with running_starter(settings, temporal_client) as running:
        yield running
