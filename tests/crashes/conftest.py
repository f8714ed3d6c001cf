from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.crashes.site import Site


@pytest.fixture(scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A stack that all crashes share: each test leaves it running."""
    shared = Site(tmp_path_factory.mktemp("site"))
    try:
        await shared.start()
        yield shared
    finally:
        await shared.stop()
