from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from operations.conformance.site import write_site
from operations.conformance.wire import Server
from runtime.blobs import LocalBlobStore
from runtime.configuration import load_settings
from starter.app import create_app
from starter.wire.server import listening


@pytest.fixture(scope="session")
async def recorded_webhooks(tmp_path_factory: pytest.TempPathFactory, temporal_client: Client) -> AsyncIterator[Server]:
    """Our starter with the recorded webhooks."""
    settings = load_settings(write_site(tmp_path_factory.mktemp("conformance")))
    app = create_app(settings, temporal_client, LocalBlobStore(settings.store.path))
    async with listening(app, "127.0.0.1", 0) as url:
        yield Server.at(url)
