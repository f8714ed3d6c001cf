"""Finding holders of slots that have ended without giving them back, as terminated workflows do."""

from __future__ import annotations

import asyncio

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from contracts.accounts import FIND_LOST_HOLDERS, Holders, LostHolders
from contracts.leases import Lease

_AT_ONCE = 10


class SlotHolders:
    """The activity by which an account looks after its slots."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @activity.defn(name=FIND_LOST_HOLDERS)
    async def find_lost_holders(self, holders: Holders) -> LostHolders:
        """The leases whose holders do not run any more."""
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(lease: Lease) -> bool:
            async with slots:
                return await self._is_lost(lease)

        lost = await asyncio.gather(*(one(lease) for lease in holders.leases))
        return LostHolders(leases=tuple(lease.lease for lease, gone in zip(holders.leases, lost, strict=True) if gone))

    async def _is_lost(self, lease: Lease) -> bool:
        handle = self._client.get_workflow_handle(lease.workflow_id, run_id=lease.run_id)
        try:
            return (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return True
            raise
