from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from activities.services.base import ImageService
from activities.services.registry import KINDS
from contracts.capabilities import Kind
from tests.services.calls import settings
from tests.services.scripted import ScriptedServer

MODELS = {"gemini": "nano-1", "stability": "core"}
"""For the kinds whose URL has the model in it."""


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer().running() as running:
        yield running


@pytest.fixture
async def connect() -> AsyncIterator[Callable[..., ImageService]]:
    """Make adapters by kind, base URL and settings; they are closed at the end."""
    async with AsyncExitStack() as stack:

        def make(kind: Kind, base_url: str, **fields: object) -> ImageService:
            service = KINDS[kind]("svc", settings(base_url, **{"kind": kind, "model": MODELS.get(kind), **fields}))
            stack.push_async_callback(service.aclose)
            return service

        yield make


@pytest.fixture(params=["a1111", "flux_lora", "gemini", "openai", "stability", "together"])
def kind(request: pytest.FixtureRequest) -> str:
    """A kind of service that answers a submit with the images; the others have their own test modules."""
    value: str = request.param
    return value


@pytest.fixture(params=["a1111", "flux_lora", "openai", "together"])
def listing_kind(request: pytest.FixtureRequest) -> str:
    """A kind of service whose images stand in a list, as data or as URL."""
    value: str = request.param
    return value
