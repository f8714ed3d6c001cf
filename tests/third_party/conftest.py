from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from activities.services.base import ImageService
from activities.services.registry import KINDS
from contracts.capabilities import Kind
from tests.services.calls import settings
from tests.third_party.installing import CHECKOUT, KEY, got, running_aimock
from tests.third_party.relay import Relay

LONGEST_S = 300


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first of these tests installs what it needs, which can take longer than a test may."""
    for item in items:
        if Path(__file__).parent in item.path.parents and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LONGEST_S))


@pytest.fixture(scope="session")
async def packages() -> Path:
    """The folder of the npm packages."""
    return await got(CHECKOUT / "scripts" / "third-party")


@pytest.fixture(scope="session")
async def shared_aimock(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Relay]:
    """The aimock behind `aimock`."""
    async with running_aimock(packages, tmp_path_factory.mktemp("aimock")) as relay:
        yield relay


@pytest.fixture
async def aimock(shared_aimock: Relay) -> Relay:
    """A running aimock and what crosses the wire to it in this test."""
    shared_aimock.taken()
    return shared_aimock


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The API key that aimock asks for."""
    path = tmp_path_factory.mktemp("key") / "key"
    path.write_text(KEY)
    return path


@pytest.fixture
async def connect(key_file: Path) -> AsyncIterator[Callable[..., ImageService]]:
    """Make adapters by kind, base URL and settings; they are closed at the end."""
    auth = {"kind": "bearer", "secret": f"file:{key_file}"}
    async with AsyncExitStack() as stack:

        def make(kind: Kind, base_url: str, **fields: object) -> ImageService:
            service = KINDS[kind]("svc", settings(base_url, **{"kind": kind, "auth": auth, **fields}))
            stack.push_async_callback(service.aclose)
            return service

        yield make
