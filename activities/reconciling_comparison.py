"""Comparing the two sides of one Odoo: page by page, and whatever looks wrong is looked at again before it counts."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from activities.reconciling_odoo import OdooSide
from activities.reconciling_requests import RequestSide
from contracts.reconciliation import Asked, Finding, Handled, ReconcileTask
from contracts.reconciling import compare
from contracts.requests import Outcome
from runtime.settings import RouteSettings

AT_ONCE = 16
"""Calls to Temporal at the same time."""
NO_ADDON = "Odoo has no addon of ours: only `delivered but not attached` of routes of dialect odoo_action is compared."
NO_OUTBOX = "Routes of dialect odoo_action have no outbox: only `delivered but not attached` is compared."
_T = TypeVar("_T")
_R = TypeVar("_R")


class Comparing:
    """One comparison. `beat` is called after each page."""

    def __init__(
        self, task: ReconcileTask, odoo: OdooSide, requests: RequestSide, now: float, beat: Callable[[], None]
    ) -> None:
        self._task = task
        self._odoo = odoo
        self._requests = requests
        self._now = now
        self._beat = beat
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._known: Mapping[str, Handled] = {}
        self._seen: set[str] = set()
        self.asked = 0
        self.notes: list[str] = []
        self.findings: list[Finding] = []

    @property
    def handled(self) -> int:
        """How many requests Temporal knows in the window."""
        return len(self._known)

    async def run(self, routes: Mapping[str, RouteSettings]) -> None:
        """Compare; raises `OdooRefusedError`, `RPCError`, `OSError`."""
        since = self._now - self._task.since_s
        self._known = await self._requests.since(since, self._beat)
        await self._outbox(since)
        stock = [one for one in self._known.values() if one.dialect == "odoo_action"]
        if stock:
            self.notes.append(NO_OUTBOX)
            await self._records([one for one in stock if _is_attached(routes[one.route])])

    # --- requests of the addon ----------------------------------------------------------------------------------

    async def _outbox(self, since: float) -> None:
        if all(dialect == "odoo_action" for dialect in self._requests.routes.values()):
            return
        if not await self._odoo.has_addon():
            self.notes.append(NO_ADDON)
            return
        for ids in self._pages(await self._odoo.changed_since(since)):
            await self._page(await self._odoo.asked(ids))
        # What Odoo has not touched since: an older backup of it, or one that no outcome ever reached.
        others = [one for name, one in self._known.items() if name not in self._seen and one.dialect != "odoo_action"]
        for page in self._pages(others):
            await self._unseen(page)

    async def _unseen(self, page: Sequence[Handled]) -> None:
        asked = await self._odoo.asked(await self._odoo.with_keys([one.request_id for one in page]))
        await self._page(asked)
        missing = {one.request_id for one in page} - {one.key for one in asked}
        for handled in page:
            if handled.request_id in missing and self._compared(None, handled):
                self.findings += self._compared(None, await self._requests.described(handled.request_id))

    async def _page(self, page: Sequence[Asked]) -> None:
        self.asked += len(page)
        suspects = [one.record for one in await self._all(self._suspect, page) if one is not None]
        # Read anew on both sides: between the first two looks the outcome may just have arrived.
        for found in await self._all(self._confirmed, await self._odoo.asked(suspects)):
            self.findings += found
        self._beat()

    async def _suspect(self, asked: Asked) -> Asked | None:
        names = self._requests.ids(asked.key)
        handled = next((self._known[name] for name in names if name in self._known), None)
        self._seen.update(names)
        handled = handled or await self._requests.described(asked.key)
        return asked if self._compared(asked, await self._whole(asked, handled)) else None

    async def _confirmed(self, asked: Asked) -> tuple[Finding, ...]:
        handled = await self._requests.described(asked.key)
        return self._compared(asked, await self._whole(asked, handled))

    async def _whole(self, asked: Asked, handled: Handled | None) -> Handled | None:
        if handled is None or asked.state != "completed":
            return handled
        return await self._requests.with_images(handled)

    # --- records of an Odoo without the addon -------------------------------------------------------------------

    async def _records(self, requests: Iterable[Handled]) -> None:
        by_model: defaultdict[str, list[Handled]] = defaultdict(list)
        for one in requests:
            if one.record is not None and one.outcome == Outcome.COMPLETED and not one.open:
                by_model[one.record.model].append(one)
        for model, of_model in by_model.items():
            for page in self._pages(of_model):
                await self._record_page(model, page)

    async def _record_page(self, model: str, page: Sequence[Handled]) -> None:
        numbers = [one.record.record_id for one in page if one.record]
        attached = await self._odoo.attached(model, sorted(set(numbers)))
        for handled, number in zip(await self._all(self._requests.with_images, page), numbers, strict=True):
            if number in attached:
                asked = Asked(
                    record=number,
                    key=handled.request_id,
                    state="completed",
                    asked_at=0.0,
                    attachments=tuple(attached[number]),
                )
                self.findings += self._compared(asked, handled)
        self._beat()

    # --- all ----------------------------------------------------------------------------------------------------

    def _compared(self, asked: Asked | None, handled: Handled | None) -> tuple[Finding, ...]:
        return compare(asked, handled, self._now, self._task.grace_s)

    def _pages(self, items: Sequence[_T]) -> list[Sequence[_T]]:
        size = self._task.batch
        return [items[begin : begin + size] for begin in range(0, len(items), size)]

    async def _all(self, work: Callable[[_T], Awaitable[_R]], items: Iterable[_T]) -> list[_R]:
        async def one(item: _T) -> _R:
            async with self._slots:
                return await work(item)

        return await asyncio.gather(*(one(item) for item in items))


def _is_attached(route: RouteSettings) -> bool:
    """Whether the route's images stand as attachments at the record; a field may have been written to since."""
    targets = route.record.write_back if route.record else None
    return targets is not None and (targets.attachment or targets.chatter)
