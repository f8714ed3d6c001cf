"""The slots of an account: asked for, granted and given back by signal; taken back where nobody holds them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

from contracts import names
from contracts.accounts import FIND_LOST_HOLDERS, Acquire, Granted, Holders, LostHolders, Standing
from contracts.leases import Lease, SlotDesk, SlotState
from workflows.chores import Chores

LOOK_S = 60.0
"""Seconds between looks for holders that have ended, while others wait."""
GRANTS_AT_ONCE = 50
"""Grants that are on their way at most. The server lets a workflow send 2,000 signals at once, and a task that chooses
among thousands for each of thousands of slots would take longer than it may."""


class AccountSlots:
    """The slots of one account."""

    def __init__(self, service: str, state: SlotState, chores: Chores, note: Callable[[str], None]) -> None:
        self._service = service
        self._desk = SlotDesk(state)
        self._chores = chores
        self._note = note
        self._looking = False
        self._next_look: float | None = None
        self._granting = 0

    @property
    def held(self) -> tuple[Lease, ...]:
        """The slots that are held."""
        return self._desk.held

    @property
    def waiting(self) -> tuple[Lease, ...]:
        """Those who wait, oldest first."""
        return self._desk.waiting

    def state(self) -> SlotState:
        """What is handed on to the next run."""
        return self._desk.state()

    def deadline(self) -> float | None:
        """When to act again, in epoch seconds."""
        look = None if self._looking else self._next_look
        return min((at for at in (self._desk.next_expiry, look) if at is not None), default=None)

    def ask(self, ask: Acquire) -> None:
        """Put a request in the queue."""
        lease = Lease(**ask.model_dump(exclude={"tenant"}), tenant=ask.tenant or "")
        held = self._desk.ask(lease)
        if held is not None:
            self._chores.start(self._grant(held))
        self._chores.call()

    def release(self, lease: str) -> None:
        """Take a slot back, or a request out of the queue."""
        self._chores.call(when=self._desk.release(lease))

    def act(self, standing: Standing, now: float) -> None:
        """Take back what has expired, hand out what is free."""
        for lease in self._desk.expire(now):
            self._note(f"slot of {lease.workflow_id} taken back: not released in {lease.expires_s:.0f} s")
        most = max(GRANTS_AT_ONCE - self._granting, 0)
        for lease in self._desk.grant(standing.concurrency, standing.live.weights or {}, now, most):
            self._granting += 1
            self._chores.start(self._grant_in_turn(lease))
        self._look(now)

    async def _grant_in_turn(self, lease: Lease) -> None:
        await self._grant(lease)
        # The next were held back while all those were on their way.
        self._chores.call(when=self._granting == GRANTS_AT_ONCE)
        self._granting -= 1

    async def _grant(self, lease: Lease) -> None:
        asker = workflow.get_external_workflow_handle(lease.workflow_id, run_id=lease.run_id)
        try:
            await asker.signal(names.SLOT_GRANTED, Granted(service=self._service, lease=lease.lease))
        except FailureError:
            # It has ended meanwhile.
            self.release(lease.lease)

    def _look(self, now: float) -> None:
        if not self._desk.waiting or not self._desk.held:
            self._next_look = None
        elif self._next_look is None:
            self._next_look = now + LOOK_S
        elif now >= self._next_look and not self._looking:
            self._looking = True
            self._chores.start(self._find_lost())

    async def _find_lost(self) -> None:
        for lease in await self._lost():
            if self._desk.release(lease):
                self._note(f"slot {lease} taken back: its holder has ended")
        self._looking, self._next_look = False, workflow.time() + LOOK_S
        self._chores.call()

    async def _lost(self) -> tuple[str, ...]:
        try:
            lost: LostHolders = await workflow.execute_activity(
                FIND_LOST_HOLDERS,
                Holders(leases=self._desk.held),
                result_type=LostHolders,
                task_queue=names.MAINTENANCE_QUEUE,
                start_to_close_timeout=timedelta(seconds=LOOK_S / 2),
                schedule_to_close_timeout=timedelta(seconds=LOOK_S),
                summary=f"{self._service}: do the holders of slots still run?",
            )
        except ActivityError:
            workflow.logger.warning("lost_holders_not_found", extra={"service": self._service})
            return ()
        return lost.leases
