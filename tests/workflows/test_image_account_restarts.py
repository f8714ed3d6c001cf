"""An account while its workers come and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from activities.account_desk import read_standing
from tests.temporal_server import connected, running_server
from tests.workflows.accounts_at_work import accounts_at_work, fresh


@pytest.fixture(scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    async with running_server(tmp_path_factory.mktemp("accounts")) as address:
        yield await connected(address)


async def test_the_standing_is_read_without_a_worker(client: Client) -> None:
    site = fresh(client)
    assert await read_standing(client, site.service) is None
    async with accounts_at_work(client):
        site = await site.start(rate_per_second=7)
        await site.until_rate(7)
    standing = await read_standing(client, site.service)
    assert standing is not None
    assert standing.limits == site.limits


async def test_a_cooldown_ends_though_all_workers_were_gone_meanwhile(client: Client) -> None:
    site = fresh(client)
    async with accounts_at_work(client):
        site = await site.start(rate_per_second=7)
        await site.cool_down(2)
        await site.until_rate(0)
    await asyncio.sleep(2)
    async with accounts_at_work(client):
        await site.until_rate(7)
