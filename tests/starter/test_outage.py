from __future__ import annotations

from pathlib import Path

from structlog.testing import capture_logs
from structlog.types import EventDict
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client

from runtime.embedded import free_ports
from runtime.temporal import DATA_CONVERTER
from tests.starter.front import event, lazy_client, make_settings, running_starter
from tests.temporal_server import connected, running_server


async def test_while_temporal_is_away_nothing_is_acknowledged_and_service_resumes_by_itself(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, starter={"start_deadline_s": 1.0, "retry_after_s": 7})
    (port,) = free_ports([0])
    body = event()
    async with running_starter(settings, await lazy_client(f"127.0.0.1:{port}")) as front:
        never_seen = await front.post("dialect/event", body)
        unready = await front.http.get("/healthz/readiness")
        alive = await front.http.get("/healthz")
        async with running_server(tmp_path, port):
            while (await front.http.get("/healthz/readiness")).status_code != 200:
                pass
            taken = await front.post("dialect/event", body)
        gone = await front.post("dialect/event", event())
        async with running_server(tmp_path, port):
            await connected(f"127.0.0.1:{port}")
            while (await front.http.get("/healthz/readiness")).status_code != 200:
                pass
            remembered = await front.post("dialect/event", body)
    assert [never_seen.status_code, gone.status_code, unready.status_code] == [503, 503, 503]
    assert [answer.headers["retry-after"] for answer in (never_seen, gone)] == ["7", "7"]
    assert unready.json()["status"] == "error"
    assert [alive.status_code, taken.status_code, remembered.status_code] == [200, 200, 200]
    assert remembered.content == taken.content


async def test_an_unregistered_search_attribute_is_never_acknowledged(tmp_path: Path, temporal_client: Client) -> None:
    namespace = RegisterNamespaceRequest(namespace="bare")
    namespace.workflow_execution_retention_period.FromSeconds(86_400)
    await temporal_client.workflow_service.register_namespace(namespace)
    bare = Client(temporal_client.service_client, namespace="bare", data_converter=DATA_CONVERTER)
    reasons: list[EventDict] = []
    async with running_starter(make_settings(tmp_path), bare) as front:
        # The server takes a moment to know its new namespace.
        while not any("remedy" in reason for reason in reasons):
            with capture_logs() as logs:
                answer = await front.post("dialect/event", event())
            reasons = [log for log in logs if log["event"] == "temporal_refused_start"]
            assert answer.status_code == 503
    assert reasons[0]["remedy"].startswith("register the search attributes")
