from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from activities.services.base import ImageService
from activities.services.registry import KINDS
from tests.services.calls import settings
from tests.services.scripted import ScriptedServer


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer().running() as running:
        yield running


@pytest.fixture
async def connect() -> AsyncIterator[Callable[..., ImageService]]:
    """Make adapters by kind, base URL and settings; they are closed at the end."""
    async with AsyncExitStack() as stack:

        def make(kind: str, base_url: str, **fields: object) -> ImageService:
            service = KINDS[kind]("svc", settings(base_url, kind=kind, **fields))
            stack.push_async_callback(service.aclose)
            return service

        yield make


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value
