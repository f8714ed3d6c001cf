"""Thousands of requests at one account: no task asks for more than the server lets a workflow send at once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from contracts import names
from contracts.accounts import Account, Limits, Standing
from contracts.leases import Lease, SlotState
from tests.temporal_server import connected, running_server
from tests.workflows.accounts_at_work import AccountSite, accounts_at_work, fresh

CROWD = 2500
LONG_ID = "r" * 60


@pytest.fixture(scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    async with running_server(tmp_path_factory.mktemp("crowd")) as address:
        yield await connected(address)


@pytest.fixture
async def account(client: Client) -> AsyncIterator[AccountSite]:
    async with accounts_at_work(client):
        yield fresh(client)


def waiting(number: int) -> Lease:
    """A request that has ended without a word, as a crowd of cancelled ones."""
    run = f"00000000-0000-4000-8000-{number:012}"
    workflow_id = f"event/{LONG_ID}-{number:012}"
    return Lease(
        lease=f"{run}/1", workflow_id=workflow_id, run_id=run, tenant=f"odoo/user-{number % 500}", expires_s=3600
    )


async def crowded(account: AccountSite, count: int, concurrency: int | None) -> None:
    """The account as a run before has left it."""
    await account.client.start_workflow(
        names.ACCOUNT_WORKFLOW,
        Account(
            service=account.service,
            standing=Standing(limits=Limits(concurrency=concurrency)),
            slots=SlotState(waiting=tuple(waiting(number) for number in range(count))),
        ),
        id=names.account_id(account.service),
        task_queue=names.WORKFLOW_QUEUE,
    )


async def test_a_limit_that_is_lifted_lets_a_crowd_through(account: AccountSite) -> None:
    await crowded(account, CROWD, None)
    # Nobody of them runs: each slot that is granted comes back at once.
    status = await account.until(lambda status: not status.waiting and not status.held)
    assert status.service == account.service
    described = await account.handle.describe()
    assert described.status is WorkflowExecutionStatus.RUNNING
