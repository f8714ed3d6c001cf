from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.activities.desk import Desk
from tests.activities.post import Post, posting


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    """Rendering the traceback of each crash on purpose would take most of the time."""
    with capture_logs():
        yield


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    async with posting(tmp_path) as running:
        yield running
