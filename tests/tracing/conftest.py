from __future__ import annotations

import json
import os
import secrets
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetStickyTaskQueueRequest

from contracts.decisions import Redrive
from contracts.names import REDRIVE
from contracts.requests import Stage
from runtime.embedded import free_ports
from tests.crashes.orders import Order, until
from tests.metrics.observed_site import ObservedSite, observed_site
from tests.metrics.scraping import Scrape
from tests.services.scripted import ScriptedServer
from tests.tracing.collector import Collector, Span, collecting

TOKEN = "a-collectors-own-secret"
ODOO_SPAN = "00f067aa0ba902b7"


@dataclass(frozen=True, slots=True)
class Traced:
    """A site, the collector of its traces, and an image service (openai) that refuses every call and remembers it."""

    site: ObservedSite
    collector: Collector
    refusing: ScriptedServer
    worker_url: str

    async def post(self, order: Order, flags: str = "01", **headers: str) -> str:
        """Post as an Odoo that traces; gives the trace's id."""
        trace_id = secrets.token_hex(16)
        sent = {"traceparent": f"00-{trace_id}-{ODOO_SPAN}-{flags}", "tracestate": "odoo=1", **headers}
        assert (await self.site.post(order, **sent)).is_success
        return trace_id

    async def spans(self, trace_id: str, last: str) -> list[Span]:
        """The spans of a trace, once that one has come and no earlier one can still be on its way."""

        async def come() -> bool:
            names = self.collector.names(trace_id)
            return names[last] > 0 and names["webhook event"] + names["webhook request"] > 0

        await until(come, f"no span {last} came: {self.collector.names(trace_id)}")
        return self.collector.of(trace_id)

    async def settled(self, order: Order, **headers: str) -> list[Span]:
        """Post, wait for the end; gives all spans."""
        trace_id = await self.post(order, **headers)
        await self.site.reaches(Stage.SETTLED, order)
        return await self.spans(trace_id, "CompleteWorkflow:image-generation")

    async def scrape(self) -> Scrape:
        """The metrics of the worker."""
        return Scrape.of([(await self.site.http.get(f"{self.worker_url}/metrics")).text])

    async def restart_worker(self, order: Order) -> None:
        """Kill -9 it; the supervisor starts another one, which has to replay the request."""
        supervisor, worker, client = self.site.stack.supervisor, self.site.stack.worker(), self.site.stack.client
        killed = supervisor.pid(worker.name)
        os.kill(killed, signal.SIGKILL)

        async def back() -> bool:
            return supervisor.pid(worker.name) != killed and await worker.ready()

        await until(back, "the worker was not started again")
        # Else Temporal waits ten seconds for the one that is dead.
        forget = ResetStickyTaskQueueRequest(
            namespace=client.namespace, execution=WorkflowExecution(workflow_id=order.workflow_id)
        )
        await client.workflow_service.reset_sticky_task_queue(forget)

    async def redrive(self, order: Order, service: str) -> None:
        """Take a dead letter up again at another service."""
        handle = self.site.stack.client.get_workflow_handle(order.workflow_id)
        await handle.execute_update(REDRIVE, Redrive(by="test", reason="elsewhere", service=service))
        await self.site.reaches(Stage.SETTLED, order)


@pytest.fixture(scope="session")
async def traced(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Traced]:
    directory: Path = tmp_path_factory.mktemp("traced")
    (directory / "token").write_text(TOKEN)
    (port,) = free_ports([0])
    auth = {"kind": "bearer", "secret": f"file:{directory / 'token'}"}
    with collecting() as collector:
        async with ScriptedServer().running() as refusing:
            refusing.answer({"error": {"message": "a private text of theirs", "type": "auth"}}, status=401)
            settings = {
                "tracing.endpoint": collector.url,
                "tracing.auth": json.dumps(auth),
                "services.openai.base_url": refusing.url,
                "worker.metrics_bind": f"127.0.0.1:{port}",
                "logging.format": "json",
            }
            async with observed_site(directory / "site", settings) as site:
                yield Traced(site, collector, refusing, f"http://127.0.0.1:{port}")
