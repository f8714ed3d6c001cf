from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from contracts.decisions import Redrive
from contracts.names import REDRIVE, WORKFLOW_QUEUE
from contracts.requests import Stage
from runtime.embedded import free_ports
from tests.crashes.orders import FREE, PAID, Order, orders, until
from tests.metrics.observed_site import AWAY, BROKEN, HELD_UP, ObservedSite, observed_site
from tests.metrics.scraping import Scrape


@dataclass(frozen=True, slots=True)
class Run:
    """A site, and what was posted to it."""

    site: ObservedSite
    worker_url: str
    completed: list[Order]
    parked: Order

    async def scrape(self) -> Scrape:
        urls = (self.worker_url, self.site.stack.starter_url)
        return Scrape.of([(await self.site.http.get(f"{url}/metrics")).text for url in urls])

    async def observed(self, name: str, value: float, **labels: str) -> Scrape:
        """The first scrape in which an observed gauge has that value."""
        found = Scrape()

        async def there() -> bool:
            nonlocal found
            found = await self.scrape()
            return name in found.names and found.total(name, **labels) == value

        await until(there, f"{name} never was {value}")
        return found


@pytest.fixture(scope="session")
async def run(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Run]:
    """Requests that succeed, that succeed on the second try, and one that fails for good, twice."""
    (port,) = free_ports([0])
    settings = {
        "worker.metrics_bind": f"127.0.0.1:{port}",
        "worker.metrics_interval_s": "1",
        "services.flux.price": "0.04",
        "services.flux.currency": "EUR",
        "services.flux.concurrency": "5",
    }
    plain = [*orders(PAID, "a fox", 1), *orders(FREE, "a fox", 1)]
    unlucky = [*orders(PAID, f"a fox {HELD_UP}", 1), *orders(FREE, "a fox", 1, AWAY)]
    (broken,) = orders(PAID, f"a very private fox {BROKEN}", 1)
    async with observed_site(tmp_path_factory.mktemp("observed"), settings) as site:
        for order in (*plain, *unlucky, broken, plain[0]):
            assert (await site.post(order)).is_success
        await site.reaches(Stage.SETTLED, *plain, *unlucky)
        await site.reaches(Stage.PARKED, broken)
        await until(lambda: site.callbacks(broken), "Odoo was not told of the failure")
        handle = site.stack.client.get_workflow_handle(broken.workflow_id)
        await handle.execute_update(REDRIVE, Redrive(by="test", reason="once more"))
        await site.reaches(Stage.PARKED, broken)
        # What a bad deploy looks like: a workflow task that this worker cannot do.
        await site.stack.client.start_workflow("no-such-workflow", id="undeployed", task_queue=WORKFLOW_QUEUE)
        yield Run(site, f"http://127.0.0.1:{port}", [*plain, *unlucky], broken)


@pytest.fixture(scope="session")
async def scrape(run: Run) -> Scrape:
    """The scrape of that run, once both failures were told, and the dead letter was observed after them."""
    await run.observed("orchestrator_time_to_callback_seconds_count", 2, outcome="failure")

    async def task_failed() -> bool:
        return "temporal_workflow_task_execution_failed_total" in (await run.scrape()).names

    await until(task_failed, "no workflow task failed")
    return await run.observed("orchestrator_dead_letters_open", 1)
